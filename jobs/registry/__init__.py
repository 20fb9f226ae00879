"""What the applications above register, so that `jobs` need not know them.

In: one registration each, in `AppConfig.ready()`. Out: look-ups by name and in order. `kinds` is the file to open
first: how a kind of job plans, works and settles. `owners` says what jobs leave behind, `chores` what healing does for
others. Nothing here imports Django.
"""
