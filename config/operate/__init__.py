"""What operators and monitoring need: health, metrics, and the embedded profile's web server.

In: requests without a user; the address to serve on. Out: whether each component works, numbers, a running server.
Open `health` first:

    health     /health and /readyz
    metrics    /metrics
    serving    waitress in this process, and `up.json`, by which other processes of this user find it
"""
