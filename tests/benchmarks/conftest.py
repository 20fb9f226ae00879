"""The embedder and the vector store that the tests of benches share with those of `extraction`."""

from tests.helpers.knowledge import embedder, store

__all__ = ["embedder", "store"]
