"""What was fetched, kept: sources, who holds them, and how they are removed.

In: pages read by a crawl. Out: rows, written inside the settling transaction. Open `storing` first.
"""
