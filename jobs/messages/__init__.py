"""How parts of an installation tell each other that there is work.

In: ids of lanes and jobs. Out: hints for the actors; losing one costs a few seconds, never work. Open `wake` first.
"""
