"""REST: everything below /projects, one router per idea, in the order in which paths are tried."""

from extraction.api.projects import router as projects_router
from extraction.api.search import router as search_router
from extraction.api.sources import router as sources_router

ROUTERS = (projects_router, sources_router, search_router)
