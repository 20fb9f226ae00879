"""REST: projects, their schemas, sources, extractions and search.

In: HTTP requests. Out: one service called, its receipt as JSON. Open `routers` first.
"""
