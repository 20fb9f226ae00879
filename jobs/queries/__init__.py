"""Reading without changing anything.

In: filters and ids. Out: rows by pages, and exact numbers. `listing` is the file to open first: jobs, items, history.
`tallies` counts what an action would touch, `gauges` what monitors watch, `waiting` looks until something is over.
"""
