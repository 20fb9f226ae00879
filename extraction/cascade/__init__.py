"""The cascade: extractors from the cheapest on, and what they found made one.

In: a page and a schema. Out: one set of findings a field group, each with its proof. Open `cascade` first.
"""
