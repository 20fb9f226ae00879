"""REST: who may call, what jobs look like in JSON, waiting and sending again.

In: HTTP requests. Out: one service called, its receipt as JSON. Open `routes` first.
"""
