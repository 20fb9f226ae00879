"""The audit: rows without points, points without rows, and both put right.

In: a wish to look. Out: findings, counted, in slices that survive interruption. Open `audit` first.
"""
