"""The proof of a value: where on its page it stands, checked again at any time. Knows no Django.

In: a `PageInput`, a quote or a markup address, a value. Out: `Evidence`, or whether one still holds. Open `verify`
first.

    verify              makes evidence, and checks it
    locating            where a quote stands in a text: exactly, but for typography, or nearly
    page                one stored page as extractors see it, parsed once
    structured_data     JSON-LD, microdata and meta tags, each value at an address
    nodes               the same as schema.org nodes that can be walked
    json_repair         JSON as pages really write it
    schema_types        which schema.org types are kinds of which
"""
