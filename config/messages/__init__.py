"""How messages travel: the in-process broker of the embedded profile, and the healing clock of the distributed one.

In: encoded messages. Out: actors called. Open `broker` first:

    broker           queues in memory, or NOTIFY for the process that hosts the workers
    healing_clock    Dramatiq middleware that sends `heal` every few seconds where RabbitMQ feeds the workers
"""
