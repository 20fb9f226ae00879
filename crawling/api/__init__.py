"""REST: starting crawls and scrapes, and how they stand.

In: HTTP requests. Out: one service called, its receipt as JSON. Open `api` first.
"""
