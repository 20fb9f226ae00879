"""Embedders: text in, unit vectors out. `wordllama` is bundled; the others need a model or a service."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import httpx
import numpy as np
from numpy.typing import NDArray

from extraction.states import EmbedderName
from extraction.vectors.bm25 import without_question_words
from jobs.errors import QuarryError, Unavailable

MAX_EMBEDDED_CHARACTERS = 20_000
"""A longer text is embedded by its beginning; passages and extractions are far shorter."""

Matrix = NDArray[np.float32]


class EmbedderUnavailable(Unavailable):
    """The embedder cannot work now: not installed, not configured, or its service does not answer."""

    code = "embedder_unavailable"


class EmbedderRejected(QuarryError):
    """The embedding service refuses this input; the same batch will always fail (halve it)."""

    code = "embedder_rejected"


class EmbedderUnknown(QuarryError):
    """No embedder has this name."""

    code = "embedder_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no embedder {name!r}; set EMBEDDER to one of: {', '.join(EmbedderName)}.")
        self.name = name


class Embedder(Protocol):
    """Turns texts into vectors; safe to share between threads."""

    @property
    def name(self) -> str:
        """The embedder and its model, for the collection's name: another name means other vectors."""

    @property
    def dimension(self) -> int:
        """The length of every vector; may load the model or ask the service."""

    def embed_texts(self, texts: Sequence[str]) -> Matrix:
        """Return float32[len(texts), dimension], rows L2-normalised; a text without words is all zeros.

        Raises: EmbedderUnavailable, EmbedderRejected.
        """

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return float32[dimension] for a search query. Raises: EmbedderUnavailable, EmbedderRejected."""


class WordLlamaEmbedder:
    """The bundled static model: 256 dimensions, loaded from its package within 0.2 s, no download.

    A text's vector is the mean of its token vectors (Model: wordllama `l2_supercat`, 256 dimensions).
    Pooling is done here, text by text: the package pads every batch to its longest text, which costs
    memory without bound.
    """

    name = "wordllama"
    dimension = 256
    _BATCH_TEXTS = 128

    def __init__(self) -> None:
        self._lock = Lock()
        self._model: Any = None

    def embed_texts(self, texts: Sequence[str]) -> Matrix:
        """Return float32[len(texts), 256], rows L2-normalised; a text without tokens is all zeros."""
        model = self._loaded()
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), self._BATCH_TEXTS):
            batch = [_sendable(text) for text in texts[start : start + self._BATCH_TEXTS]]
            for row, encoding in enumerate(model.tokenizer.encode_batch(batch, add_special_tokens=False)):
                if encoding.ids:
                    vectors[start + row] = model.embedding[encoding.ids].mean(axis=0)
        return normalised(vectors)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return float32[256] of the query less its question words, which would weigh as much as the rest."""
        row: NDArray[np.float32] = self.embed_texts([without_question_words(text)])[0]
        return row

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = _load_wordllama()
            return self._model


class OpenAIEmbedder:
    """Any service with OpenAI's `POST {base_url}/embeddings`. No retries here: the outbox backs off."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str = "",
        dimension: int | None = None,
        timeout_seconds: float = 30.0,
        batch_texts: int = 64,
    ) -> None:
        """Nothing is sent before the first call. dimension: asked of the service when not given."""
        self.name = f"openai-{model}"
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._model = model
        self._dimension = dimension
        self._batch_texts = batch_texts
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=timeout_seconds, headers=headers)

    @property
    def dimension(self) -> int:
        """The length of every vector. Raises: EmbedderUnavailable, EmbedderRejected."""
        if self._dimension is None:
            self._dimension = len(self._request(["dimension"])[0])
        return self._dimension

    def embed_texts(self, texts: Sequence[str]) -> Matrix:
        """Return float32[len(texts), dimension], rows L2-normalised, in requests of `batch_texts`.

        Raises: EmbedderUnavailable, EmbedderRejected.
        """
        rows: list[list[float]] = []
        for start in range(0, len(texts), self._batch_texts):
            # An empty input is refused by the service, and it would take its whole batch along.
            batch = [_sendable(text) or " " for text in texts[start : start + self._batch_texts]]
            rows.extend(self._request(batch))
        if any(len(row) != self.dimension for row in rows):
            raise EmbedderUnavailable(
                f"{self._url} returns vectors of a length other than {self.dimension}; check EMBEDDING_MODEL."
            )
        return normalised(np.asarray(rows, dtype=np.float32).reshape(len(texts), self.dimension))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return float32[dimension]. Raises: EmbedderUnavailable, EmbedderRejected."""
        row: NDArray[np.float32] = self.embed_texts([text])[0]
        return row

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _request(self, batch: list[str]) -> list[list[float]]:
        try:
            response = self._client.post(self._url, json={"model": self._model, "input": batch})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EmbedderUnavailable(
                f"{self._url} does not answer ({type(error).__name__}). Check EMBEDDING_BASE_URL."
            ) from error
        if response.status_code in (400, 413, 422):
            raise EmbedderRejected(
                f"{self._url} refuses a batch of {len(batch)} texts ({response.status_code}): {response.text[:300]}"
            )
        if response.status_code != 200:
            raise EmbedderUnavailable(
                f"{self._url} answers with status {response.status_code}. Check EMBEDDING_BASE_URL, EMBEDDING_API_KEY "
                "and EMBEDDING_MODEL."
            )
        return _vectors_of(response, len(batch), self._url)


class FastEmbedEmbedder:
    """Qdrant's own ONNX models (`pip install quarry[fastembed]`); the first use downloads the model."""

    def __init__(self, *, model: str = "BAAI/bge-small-en-v1.5") -> None:
        """Nothing is loaded before the first call."""
        self.name = f"fastembed-{model}"
        self._model_name = model
        self._lock = Lock()
        self._model: Any = None

    @property
    def dimension(self) -> int:
        """The length of every vector. Raises: EmbedderUnavailable."""
        return int(self.embed_query("dimension").shape[0])

    def embed_texts(self, texts: Sequence[str]) -> Matrix:
        """Return float32[len(texts), dimension], rows L2-normalised. Raises: EmbedderUnavailable."""
        rows = list(self._loaded().passage_embed([_sendable(text) for text in texts]))
        return normalised(np.asarray(rows, dtype=np.float32).reshape(len(texts), -1))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return float32[dimension]. Raises: EmbedderUnavailable."""
        row = next(iter(self._loaded().query_embed(_sendable(text))))
        unit: NDArray[np.float32] = normalised(np.asarray([row], dtype=np.float32))[0]
        return unit

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = _load_fastembed(self._model_name)
            return self._model


def make_embedder(name: str, *, base_url: str = "", api_key: str = "", model: str = "") -> Embedder:
    """Return the embedder called `name`; nothing is loaded yet.

    base_url, api_key, model: of the service (`openai`); fastembed takes `model` alone.
    Raises: EmbedderUnknown, EmbedderUnavailable when its settings are missing.
    """
    if name == EmbedderName.WORDLLAMA:
        return WordLlamaEmbedder()
    if name == EmbedderName.FASTEMBED:
        return FastEmbedEmbedder(model=model) if model else FastEmbedEmbedder()
    if name == EmbedderName.OPENAI:
        if not base_url or not model:
            raise EmbedderUnavailable("EMBEDDER=openai needs EMBEDDING_BASE_URL and EMBEDDING_MODEL; set both.")
        return OpenAIEmbedder(base_url=base_url, api_key=api_key, model=model)
    raise EmbedderUnknown(name)


def normalised(vectors: Matrix) -> Matrix:
    """Return the rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    result: Matrix = (vectors / lengths).astype(np.float32)
    return result


def _sendable(text: str) -> str:
    """Return the beginning of `text`; a lone surrogate, which JSON can carry, becomes a question mark."""
    return text[:MAX_EMBEDDED_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _vectors_of(response: httpx.Response, expected: int, url: str) -> list[list[float]]:
    """Return the vectors in input order; `data` may come in any order, each entry with its index."""
    try:
        entries = sorted(response.json()["data"], key=lambda entry: int(entry["index"]))
        vectors = [[float(value) for value in entry["embedding"]] for entry in entries]
        indices = [int(entry["index"]) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise EmbedderUnavailable(f"{url} returns no embeddings; check EMBEDDING_BASE_URL.") from error
    if indices != list(range(expected)) or not all(isfinite(value) for vector in vectors for value in vector):
        raise EmbedderUnavailable(f"{url} returned {len(vectors)} usable vectors for {expected} texts.")
    return vectors


def _load_wordllama() -> Any:
    try:
        with _root_logger_kept():
            import wordllama  # here, because most processes never embed, and its import meddles with logging
        folder = Path(wordllama.__file__).parent
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    except (ImportError, OSError, ValueError) as error:
        raise EmbedderUnavailable(f"wordllama cannot be loaded ({error}); reinstall Quarry.") from error
    model.tokenizer.no_padding()
    return model


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Undo what wordllama's import does to the root logger: it calls `logging.basicConfig(level=INFO)`."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def _load_fastembed(model: str) -> Any:
    try:
        from fastembed import TextEmbedding  # an extra that few install
    except ImportError as error:
        raise EmbedderUnavailable(
            "EMBEDDER=fastembed needs its package: run `pip install quarry[fastembed]` or unset EMBEDDER."
        ) from error
    try:
        return TextEmbedding(model_name=model)
    except (ValueError, OSError) as error:
        raise EmbedderUnavailable(f"The fastembed model {model!r} cannot be loaded: {error}") from error
