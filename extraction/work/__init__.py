"""The job kind extract: how it plans its items, works on them and writes their extractions.

In: sources of a project. Out: extractions and passages with outcomes. Open `worker` first.
"""
