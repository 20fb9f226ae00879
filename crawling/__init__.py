"""Crawling: the job kinds that fetch pages, and the sources that are stored of them.

The rooms, each importing only those below it: `management` (commands), `api` (REST) and `admin`; `work` (the kinds
crawl and scrape); `sources` (what is stored); `pages` (what a page says); `web` (addresses, rules, fetching). `models`,
`states` and `errors` are below all of them. `apps` registers the kinds and the owner of sources with `jobs`.
"""
