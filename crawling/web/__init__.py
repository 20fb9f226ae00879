"""The open web: addresses, scope, robots.txt, sitemaps, and fetching within limits.

In: a URL and what may be asked. Out: a page's bytes, or the one reason why not. Knows no Django. Open `fetch` first.
"""
