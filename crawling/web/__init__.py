"""The web: addresses, scope, robots.txt, sitemaps, politeness, and one guarded request.

In: a URL. Out: whether it may be fetched, then a complete reply or one error that says why there is none. Knows no
Django. Open `fetch` first.

    urls, domains                 the one spelling of a URL; the registered domain of a host
    scope, patterns               which URLs belong to a crawl
    robots, robots_fetch          the rules of a host, and how they are fetched
    sitemaps                      the URLs that a sitemap lists
    politeness                    when a host may be asked again
    fetch, fetch_limits           one request, and how many bytes and seconds it may take
    guard                         which IP addresses may be connected to
    inflate                       decompression within a limit
    statuses, client_errors       status codes and the HTTP client's exceptions as errors of `crawling.errors`
"""
