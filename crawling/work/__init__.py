"""The job kinds crawl and scrape: what was asked for, which items that makes, and the outcome of each.

In: a request to crawl or scrape; later the claims of its job. Out: outcomes, each with the page to store and the items
for what it links to. Open `worker` first.

    submission    checks the request and creates the job
    kind          the first items, settling, what follows a job; registered with `jobs`
    items         the key, lane and rank of an item
    worker        works on the items of one host: robots.txt, pace, request, outcome
    parse_page    from a reply's bytes to the page to store and the links to follow
    redirect      from a redirect to an item
    progress      how far a crawl is
"""
