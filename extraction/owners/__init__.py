"""What a job leaves behind here, and how it is counted, given to the project and removed.

In: a job's id, a chunk at a time. Out: exact receipts. Open `artifacts` first.
"""
