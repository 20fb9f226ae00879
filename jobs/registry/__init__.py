"""What the upper applications say about themselves: kinds of jobs, owners of artifacts, work for healing.

In: one registration each, in `AppConfig.ready()`. Out: look-ups by name and order. Open `kinds` first.
"""
