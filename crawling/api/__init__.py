"""REST: starting crawls and scrapes, and following them.

In: a request, checked by `schemas`. Out: one call of `work.submission` or `work.progress`, and its answer as JSON.
`routes` has the endpoints: open it first.
"""
