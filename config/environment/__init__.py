"""The settings' source: environment variables and files, read once, each checked with a sentence.

In: the environment. Out: typed settings, or a start refused with what to change. Open `env` first.
"""
