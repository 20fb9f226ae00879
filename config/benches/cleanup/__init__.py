"""The bench `cleanup`: a large job filled in and cleaned up by the workers, beside a bare DELETE of as many rows.

In: a number of sources. Out: seconds of both, what is left, and how memory grew. Open `bench` first.
"""
