"""PostgreSQL of the embedded profile: a wheel's binaries under our own small supervisor.

`client.ensure_running(home)` is the whole interface. The first process that needs the database starts a
detached supervisor, which starts `postgres`; every process of ours holds a shared lock on `users.lock` while
it lives, and the supervisor stops PostgreSQL after the last one has gone. No order of `kill -9` blocks the
next start. Everything lies in `<home>/postgres`:

    data/            the cluster
    users.lock       shared lock of every process that uses the server
    supervisor.lock  exclusive lock of the one supervisor
    server.json      where the running server is, and how to recognise it
    server.log       what PostgreSQL says; supervisor.log: what the supervisor says

Settings in `<home>/postgresql.conf` are added to ours at each start. This file imports nothing: the
supervisor is a small process and stays one.
"""
