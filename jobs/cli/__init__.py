"""What management commands share: arguments, exit codes, following a job to its end.

In: words from the shell. Out: one service called, its receipt as text or JSON. Open `base` first.
"""
