"""The ledger: a job's row and its work items, each of which ends in exactly one counted state.

In: items to add, and what became of them. Out: claims, counts, and moves of the job. `moves` is the file to open first:
the lock every writer takes, the one way a job changes its status, its history. Then `items` (added), `claims` (taken
and given back), `settle` (ended), `expiry` (lost), `counts`, and `lanes` (who serves which queue).
"""
