"""Vector stores: one interface and two adapters. Know no Django.

In: points, ids, filters. Out: hits and counts, or a `StoreError`. Open `base` first: the interface, its filters and
errors. `edge` works in this process, `qdrant` talks to a server.
"""
