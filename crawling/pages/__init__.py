"""What a page says: its text as Markdown, title, author, dates, language and links.

In: a `Fetched` reply. Out: a `Page` of plain values. Knows neither Django nor the network. Open `content` first: its
`read_page` is all that others call. It asks `limits` whether the markup may be parsed at all, then `metadata`,
`language` and `links` for their parts.
"""
