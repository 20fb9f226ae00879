"""Extractors: each turns one kind of evidence on a page into typed values; the cascade orders them.

In: a page and a field group. Out: findings with their proof. Open `base` first.
"""
