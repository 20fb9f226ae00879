"""The work items of a job: added, claimed, settled and counted, and the lanes they wait in.

In: items and what became of them. Out: claims and counts. Open `ledger` first.
"""
