"""What PostgreSQL needs to be told: ids as one array, chunks by primary key, transactions that are tried again.

In: ids and functions. Out: rows locked, statements sent. Open `transactions` first.
"""
