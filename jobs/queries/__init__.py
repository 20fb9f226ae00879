"""Reading without changing anything: jobs, items and history by pages, numbers for previews and monitoring.

In: filters and ids. Out: rows and exact counts. Open `listing` first.
"""
