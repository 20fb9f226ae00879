"""Passages: the text of a page cut along its headings, so that search works without any schema.

In: the evidence text (Markdown). Out: chunks with exact offsets and their heading path, stored as `Passage` rows.
Open `chunks` first.

    chunks     cuts a text; knows no Django
    outline    its sections and tables
    store      chunks as rows
"""
