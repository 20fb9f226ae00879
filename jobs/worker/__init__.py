"""What runs on worker threads: a slice of a lane, healing, and the process that hosts both.

In: a lane's id from a message. Out: settled items. Open `slice` first.
"""
