"""The replica: changes recorded by triggers, drained into the vector store in batches.

In: rows of `VectorChange`. Out: points upserted and deleted by id. Open `drain` first.
"""
