import builtins
import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.states import EmbedderName
from extraction.vectors.embedding import (
    MAX_EMBEDDED_CHARACTERS,
    EmbedderRejected,
    EmbedderUnavailable,
    EmbedderUnknown,
    FastEmbedEmbedder,
    OpenAIEmbedder,
    WordLlamaEmbedder,
    make_embedder,
    normalised,
)


@pytest.fixture(scope="module")
def wordllama() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


def test_vectors_are_unit_float32_rows(wordllama):
    vectors = wordllama.embed_texts(["a red car", "the index of a table", "x" * 100_000])
    assert vectors.shape == (3, wordllama.dimension) == (3, 256)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_similar_texts_are_nearer(wordllama):
    car, automobile, tax = wordllama.embed_texts(["a fast car", "a quick automobile", "income tax return"])
    assert car @ automobile > car @ tax + 0.2


def test_a_texts_vector_does_not_depend_on_its_batch(wordllama):
    texts = [f"text number {number} " * (number % 7 + 1) for number in range(300)]
    together = wordllama.embed_texts(texts)
    assert np.allclose(together[[0, 150, 299]], wordllama.embed_texts([texts[0], texts[150], texts[299]]), atol=1e-6)


def test_no_text_and_no_words(wordllama):
    assert wordllama.embed_texts([]).shape == (0, 256)
    assert not wordllama.embed_texts([""]).any()
    assert wordllama.embed_query("\ud800").shape == (256,)


def test_a_query_is_embedded_without_its_question_words(wordllama):
    assert np.array_equal(wordllama.embed_query("How do I vacuum a table?"), wordllama.embed_query("vacuum table?"))


def test_threads_share_one_model():
    embedder = WordLlamaEmbedder()
    texts = [f"passage about topic {number}" for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: embedder.embed_texts(texts), range(8)))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_loading_leaves_the_root_logger_alone():
    script = (
        "import logging\n"
        "from extraction.vectors.embedding import WordLlamaEmbedder\n"
        "WordLlamaEmbedder().embed_texts(['a'])\n"
        "print(logging.getLogger().handlers, logging.getLogger().level)\n"
    )
    root = Path(__file__).parents[3]
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=root)
    assert child.stdout.strip() == f"[] {logging.WARNING}", child.stderr


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), max_size=5))
@settings(deadline=None)
def test_normalised_rows_have_length_one_or_stay_zero(rows):
    matrix = np.asarray(rows, dtype=np.float32).reshape(len(rows), 3)
    lengths = np.linalg.norm(normalised(matrix).astype(np.float64), axis=1)
    # Squares of numbers below 1e-15 underflow in float32; such rows are no vectors anybody embeds.
    is_visible = np.abs(matrix).max(axis=1, initial=0) > 1e-15
    assert np.allclose(lengths[is_visible], 1, atol=1e-3)
    assert np.isfinite(lengths).all()


class FakeService:
    """An embeddings service: answers [length, 1, 0] per text, in reverse order, as the interface allows."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, object]]] = []
        self.status = 200
        self.body: bytes | None = None

    def answer(self, path: str, headers: dict[str, str], body: dict[str, object]) -> tuple[int, bytes]:
        self.requests.append((path, headers, body))
        data = [{"index": at, "embedding": [len(text), 1, 0]} for at, text in enumerate(body["input"])]
        raw = self.body if self.body is not None else json.dumps({"data": data[::-1]}).encode()
        return self.status, raw


@contextmanager
def serving(service: FakeService):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, raw = service.answer(self.path, dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def service():
    return FakeService()


@pytest.fixture
def openai(service):
    with serving(service) as url:
        embedder = OpenAIEmbedder(base_url=url + "/", model="m-1", api_key="secret", batch_texts=2, timeout_seconds=5)
        yield embedder
        embedder.close()


def test_openai_batches_and_restores_the_order(openai, service):
    vectors = openai.embed_texts(["a", "bbb", "cc"])
    assert openai.dimension == 3
    expected = np.array([[1, 1, 0], [3, 1, 0], [2, 1, 0]], dtype=np.float64)
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    assert [body["input"] for _, _, body in service.requests] == [["a", "bbb"], ["cc"], ["dimension"]]
    path, headers, body = service.requests[0]
    assert (path, headers["Authorization"], body["model"]) == ("/v1/embeddings", "Bearer secret", "m-1")


def test_openai_sends_no_empty_and_no_broken_text(openai, service):
    openai.embed_texts(["", "\ud800"])
    assert service.requests[0][2]["input"] == [" ", "?"]


def test_a_long_text_is_embedded_by_its_beginning(openai, service):
    openai.embed_texts(["x" * (MAX_EMBEDDED_CHARACTERS + 1)])
    assert service.requests[0][2]["input"] == ["x" * MAX_EMBEDDED_CHARACTERS]


def test_openai_query_is_one_vector(openai):
    assert openai.embed_query("how").shape == (3,)
    assert openai.name == "openai-m-1"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_openai_refusals_blame_the_texts(openai, service, status):
    service.status, service.body = status, b"too many tokens"
    with pytest.raises(EmbedderRejected, match="too many tokens"):
        openai.embed_texts(["a"])


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 503])
def test_openai_trouble_is_unavailable_and_not_retried(openai, service, status):
    service.status = status
    with pytest.raises(EmbedderUnavailable, match="EMBEDDING_BASE_URL"):
        openai.embed_texts(["a"])
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 1, "embedding": [1, 2, 3]}]}',
        b'{"data": [{"index": 0, "embedding": "AAAA"}]}',
        b'{"data": [{"index": 0, "embedding": [NaN, 1, 1]}]}',
    ],
)
def test_openai_nonsense_is_unavailable(openai, service, body):
    service.body = body
    with pytest.raises(EmbedderUnavailable):
        openai.embed_texts(["a"])


def test_openai_vectors_of_another_length_are_refused(service):
    with serving(service) as url:
        embedder = OpenAIEmbedder(base_url=url, model="m", dimension=4)
        with pytest.raises(EmbedderUnavailable, match="a length other than 4"):
            embedder.embed_texts(["a"])
        embedder.close()


def test_openai_nobody_listening(service):
    with serving(service) as url:
        pass
    embedder = OpenAIEmbedder(base_url=url, model="m", timeout_seconds=1)
    with pytest.raises(EmbedderUnavailable, match="does not answer"):
        _ = embedder.dimension
    embedder.close()


def test_fastembed_missing_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_fastembed(name, *args, **kwargs):
        if name == "fastembed":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_fastembed)
    with pytest.raises(EmbedderUnavailable, match=r"pip install quarry\[fastembed\]"):
        FastEmbedEmbedder().embed_texts(["a"])


def test_make_embedder_knows_each_name():
    made = [make_embedder(name, base_url="http://127.0.0.1:9/v1", model="m") for name in EmbedderName]
    assert [embedder.name for embedder in made] == ["wordllama", "openai-m", "fastembed-m"]
    made[1].close()


def test_make_embedder_names_the_known_ones():
    with pytest.raises(EmbedderUnknown, match="wordllama, openai, fastembed"):
        make_embedder("word2vec")


def test_make_embedder_needs_the_services_settings():
    with pytest.raises(EmbedderUnavailable, match="EMBEDDING_BASE_URL and EMBEDDING_MODEL"):
        make_embedder("openai", model="m")
