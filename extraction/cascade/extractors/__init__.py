"""Extractors: each reads one kind of evidence from a page; the cascade orders them.

In: a page, a field group, the fields still missing. Out: findings with their evidence, or `NotApplicable`. Open
`base` first.

    base          what every extractor takes and gives
    schema_org    reads the paths of a schema from JSON-LD, microdata and meta tags
    main_node     which node of structured data the page is about
    selectors     reads a schema's CSS and XPath selectors
"""
