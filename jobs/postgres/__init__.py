"""What PostgreSQL needs to be told.

In: functions, ids and texts. Out: statements, tried again or given as one array. `transactions` is the file to open
first. `id_arrays` is the lookup `any`, `chunks` walks and deletes by id, `text` makes values storable, `advisory_locks`
and `migration_lock` let one process at a time do something.
"""
