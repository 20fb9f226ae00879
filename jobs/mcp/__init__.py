"""Quarry for AI agents: a Model Context Protocol server that calls the REST API and nothing else.

In: calls of tools. Out: answers of the REST API, or its errors in its own words. `server` is the file to open first.
`tools_jobs`, `tools_projects` and `tools_knowledge` hold the tools, `client` calls the API, `serving` runs it over
stdio or HTTP.
"""
