"""The audit: rows without points, points without rows, and both put right.

In: a command, a request, or the clock. Out: what differs, counted and kept, and queued for the drain if it is to be
fixed. Open `compare` first.

    compare     compares rows and points, a batch of ids at a time
    requests    audits that a TRUNCATE or a new collection asks for, served after a drain
    slices      the audit in the background, in slices that survive interruption
    state       the one row that says when the next audit is due and what the last one found
    chore       wakes a slice when one is due; loaded by every process, so it imports no store
"""
