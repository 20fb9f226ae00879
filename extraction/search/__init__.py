"""Search: dense and sparse hits fused, then read from PostgreSQL, so that what was deleted never answers.

In: a query with filters. Out: hits with data, evidence and a snippet. Open `search` first.
"""
