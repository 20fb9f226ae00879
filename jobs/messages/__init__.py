"""How parts of an installation tell each other that there is work.

In: ids of lanes and jobs. Out: messages to actors, which are hints only: losing one costs a few seconds, never work.
`wake` is the file to open first: it says who is told what, and when. `names` lists queues and actors, `send` finds an
actor by its name, `channel` is what the processes of the embedded profile agree on.
"""
