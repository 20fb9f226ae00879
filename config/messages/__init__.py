"""How messages travel: the in-process broker, and the clock that heals beside a real one.

In: encoded messages. Out: actors called. Open `broker` first.
"""
