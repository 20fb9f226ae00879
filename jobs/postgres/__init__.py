"""What talking to PostgreSQL needs.

In: functions, ids and texts. Out: transactions that are retried, arrays of ids, storable values. `transactions` is the
file to open first. `id_arrays` is the lookup `any`, `chunks` walks and deletes by id, `text` makes values storable,
`advisory_locks` and `migration_lock` let one process at a time do something.
"""
