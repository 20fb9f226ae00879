"""The demonstration: a sample site crawled, extracted and searched, in a data folder of its own.

In: nothing to configure. Out: jobs, values with their quotes, and search results to show. Open `demonstration` first:

    demonstration    the crawl, and the rows to show
    sample_site/     the site, and what a complete crawl of it must find
    scratch_home     running a command in a data folder of its own; `bench` does so, too
    account          the first superuser; `up` makes it, too
"""
