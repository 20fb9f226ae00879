"""The demonstration: a crawl of the sample site in a home of its own.

In: nothing to configure. Out: a job done and searched before one's eyes. Open `demonstration` first.
"""
