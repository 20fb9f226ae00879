"""Hybrid search: the vector store ranks, PostgreSQL answers, so that what was deleted never does.

In: a query with filters. Out: hits with data, evidence and a snippet. Open `hybrid` first.

    hybrid      checks the query, asks the store, puts the answer together
    fusion      dense and BM25 results as one ranking
    rows        ranked ids as hits, every restriction checked again
    snippets    the part of a text that answers
    reply       the answer as JSON data, for REST and the command
"""
