"""REST: everything below /projects.

In: a request, checked by `schemas` and `schemas_sources`. Out: one service called, its answer as JSON. Open `routers`
first: it lists the modules with endpoints, `projects`, `sources` and `search`.
"""
