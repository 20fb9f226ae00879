"""What the management commands share.

In: command-line arguments. Out: one service called, its receipt as text or JSON, and an exit code. `base` is the file
to open first. `select` acts on one job or many, `start` on a new one, `follow` waits until jobs have finished.
"""
