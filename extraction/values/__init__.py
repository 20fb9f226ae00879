"""Values as pages write them: numbers, dates, months, availability; read right or refused.

In: a field's type and a text. Out: a plain value, or none. Knows no Django. Open `values` first.
"""
