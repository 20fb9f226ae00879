"""REST for jobs, and what the REST API of every application shares.

In: HTTP requests. Out: one service called, its receipt as JSON. `routes` is the file to open first, with `cancel` and
`bulk` beside it. Shared by all: `access` and `keys` (who may call), `schemas`, `idempotent` (a request sent again),
`waiting` (`Prefer: wait`). `owner_fields` adds the numbers that only the owners of artifacts know.
"""
