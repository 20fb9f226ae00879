"""Passages: the text of a page cut along its headings, for search.

In: Markdown. Out: pieces with exact offsets and their heading path. Open `chunking` first.
"""
