"""The process-wide vector store and embedder, as the settings name them; opened when first needed.

The embedded store can be open in one process only, and its model takes memory: everything in a process shares
this one pair.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from django.conf import settings

from extraction.vectors.embedding import Embedder, EmbedderUnavailable, make_embedder
from extraction.vectors.stores.base import VectorStore
from extraction.vectors.stores.edge import EdgeStore

STORE_TIMEOUT_SECONDS = 10.0

_lock = RLock()
_store: VectorStore | None = None
_embedder: Embedder | None = None


def embedder() -> Embedder:
    """Return the embedder of this process. Raises: EmbedderUnknown, EmbedderUnavailable."""
    global _embedder
    with _lock:
        if _embedder is None:
            environment = settings.QUARRY
            _embedder = make_embedder(
                environment.embedder,
                base_url=environment.embedding_base_url,
                api_key=environment.embedding_api_key,
                model=environment.embedding_model,
            )
        return _embedder


def store() -> VectorStore:
    """Return the vector store of this process: a Qdrant server if one is named, else the embedded shard.

    Raises: StoreUnavailable (StoreBusy when another process has the shard open), EmbedderUnavailable when the
    length of its vectors was never known.
    """
    global _store
    with _lock:
        if _store is None:
            model = embedder()
            _store = _open_store(model.name, _dimension(model))
        return _store


def vectors_folder() -> Path:
    """Return the folder of the embedded shard."""
    return Path(settings.QUARRY.home) / "vectors"


def close() -> None:
    """Close both; the next call opens them again. Repeating it is harmless."""
    global _store, _embedder
    with _lock:
        if _store is not None:
            _store.close()
        close_embedder = getattr(_embedder, "close", None)
        if close_embedder is not None:
            close_embedder()
        _store = _embedder = None


@contextmanager
def bound(new_store: VectorStore, new_embedder: Embedder) -> Iterator[None]:
    """Use this pair instead, in the whole process, until the block ends; it is not closed."""
    global _store, _embedder
    with _lock:
        before = _store, _embedder
        _store, _embedder = new_store, new_embedder
    try:
        yield
    finally:
        with _lock:
            _store, _embedder = before


def _open_store(name: str, dimension: int) -> VectorStore:
    environment = settings.QUARRY
    if environment.qdrant_url:
        # Imported here: the client library takes a second to load, and the embedded profile never needs it.
        from extraction.vectors.stores.qdrant import QdrantStore

        return QdrantStore.connect(
            environment.qdrant_url, embedder=name, dimension=dimension, timeout_seconds=STORE_TIMEOUT_SECONDS
        )
    return EdgeStore(vectors_folder(), embedder=name, dimension=dimension, timeout_seconds=STORE_TIMEOUT_SECONDS)


def _dimension(model: Embedder) -> int:
    """Return the length of the vectors. Deletes need no embedder: when it is down, the last answer serves."""
    remembered = Path(settings.QUARRY.home) / "embedder_dimensions.json"
    known = _remembered(remembered)
    try:
        dimension = model.dimension
    except EmbedderUnavailable:
        if model.name in known:
            return known[model.name]
        raise
    if known.get(model.name) != dimension:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        unfinished = remembered.with_suffix(".new")
        unfinished.write_text(json.dumps({**known, model.name: dimension}), encoding="utf-8")
        unfinished.replace(remembered)
    return dimension


def _remembered(path: Path) -> dict[str, int]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): int(dimension) for name, dimension in known.items()} if isinstance(known, dict) else {}
