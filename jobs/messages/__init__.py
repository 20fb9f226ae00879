"""How the processes of an installation notify each other of work.

In: ids of lanes and jobs. Out: messages to actors, which are hints only: losing one costs a few seconds, never work.
`wake` is the file to open first: it decides which messages are sent, and when. `names` lists queues and actors,
`send` finds an actor by its name, `channel` is what the processes of the embedded profile agree on.
"""
