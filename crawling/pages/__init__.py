"""What a page says: its text as Markdown, title, dates, language and links.

In: bytes and headers. Out: plain values. Knows no Django. Open `content` first.
"""
