"""The bench `chaos`: a server under random acts, kills and outages, and a judge who counts what became of the work.

In: rounds and a seed. Out: lost, doubled, left and stuck, each to be 0. Open `bench` first.
"""
