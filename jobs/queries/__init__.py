"""Reading without changing anything.

In: filters and ids. Out: rows by pages, and exact numbers. `listing` is the file to open first: jobs, items, history.
`tallies` counts what an action would touch, `gauges` what monitoring reads, `waiting` checks until something is over.
"""
