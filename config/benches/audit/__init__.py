"""The bench `audit`: rows and points filled in, faults planted, and the real command that must find exactly those.

In: a number of points. Out: what was found and repaired, seconds, and how memory grew. Open `bench` first.
"""
