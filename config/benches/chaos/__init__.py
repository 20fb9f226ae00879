"""The bench `chaos`: a server under random acts, kills and outages, and a judge who counts what became of the work.

In: rounds and a seed. Out: lost, duplicated, orphaned and stuck, each of which must be 0. Open `bench` first:

    bench             the rounds
    site server       the crawled site, and the `up` process that is killed and restarted
    acts              what happens to jobs, at random
    judge             what must hold once everything is quiet
    sabotage unfenced a protection switched off, which the judge must detect
"""
