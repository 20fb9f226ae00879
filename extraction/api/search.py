"""REST: hybrid search in the passages and extractions of a project."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from extraction.api.schemas_sources import SearchIn, SearchOut
from extraction.search.hybrid import search
from extraction.search.reply import results_json
from jobs.api.access import XApiKey
from jobs.api.schemas import problems
from jobs.control.projects import project_require

router = Router(tags=["knowledge"])

DEFAULT_LIMIT = 10


@router.post(
    "/{project_id}/search",
    auth=XApiKey("extraction.view_extraction"),
    response={200: SearchOut, **problems(400, 404, 413)},
)
def search_project(request: HttpRequest, project_id: UUID, body: SearchIn) -> Status[SearchOut]:
    """Return the extractions and passages that best match a query."""
    project_require(project_id)
    page = search(
        project_id=project_id,
        query=body.query,
        limit=body.limit or DEFAULT_LIMIT,
        source_groups=body.source_groups or (),
        field_groups=body.field_groups or (),
        languages=body.languages or (),
        kinds=body.kinds or (),
        data=body.filters,
    )
    reply = results_json(page)
    reply["warnings"] = body.ineffective() + reply["warnings"]
    return Status(200, SearchOut.model_validate(reply))
