"""The cascade: extractors from the cheapest on, and one value a field of what they found. Knows no Django.

In: a `PageInput` and a schema. Out: a `GroupResult` for each thing the page tells of, every value with its evidence.
Open `cascade` first.

    cascade       asks each extractor for the fields still missing, and checks what it finds
    merge         several findings as one value, by the field's merge strategy
    product/      the extractor for product pages without structured data
    extractors/   schema.org data and selectors, and what every extractor takes and gives
"""
