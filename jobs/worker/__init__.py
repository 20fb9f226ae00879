"""What runs in the processes of workers.

In: a message with a lane's id. Out: claims worked on and settled. `slice` is the file to open first: it serves one lane
on an event loop, which `runner` keeps beside the worker thread. `healing` repairs what was lost, `host` runs workers
in this process, `database_thread` and `cpu` keep waiting and computing off the loop.
"""
