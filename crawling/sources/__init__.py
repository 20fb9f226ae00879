"""What was fetched, stored: sources, the jobs that hold them, and how they are removed.

In: a `PageWrite` computed by a worker, or ids of jobs whose sources are to go. Out: rows, written inside the
transaction of the ledger. `store` writes and is the file to open first; `owner` removes; `known` and `hosts` say what
earlier jobs left behind; `dependants` calls what applications above made from sources, such as passages.
"""
