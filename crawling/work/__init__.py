"""The job kinds crawl and scrape: how they plan their items and work on them.

In: a job's payload and its claims. Out: outcomes with what the page held. Open `worker` first.
"""
