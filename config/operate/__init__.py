"""What operators and monitors ask: health, metrics, and the web server that answers.

In: requests without a user. Out: plain facts, whatever else waits. Open `health` first.
"""
