"""The proof of a value: where in the page it stands, checked again at any time.

In: a page, a value and a quote. Out: a place in code points, or none. Knows no Django. Open `evidence` first.
"""
