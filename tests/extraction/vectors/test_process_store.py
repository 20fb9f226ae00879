"""The process-wide pair: opened once, shared by threads, and usable for deletes while the embedder is down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from extraction.vectors import process_store
from extraction.vectors.embedding import EmbedderUnavailable, WordLlamaEmbedder
from extraction.vectors.stores.edge import EdgeStore
from extraction.vectors.stores.qdrant import QdrantStore


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder."""
    process_store.close()
    monkeypatch.setattr(settings, "QUARRY", replace(settings.QUARRY, home=tmp_path / "home"))
    yield tmp_path / "home"
    process_store.close()


class Model:
    """An embedder that a test can take down."""

    name = "remote"
    is_down = False

    @property
    def dimension(self) -> int:
        if self.is_down:
            raise EmbedderUnavailable("the embedder is down")
        return 24


def test_the_embedded_shard_is_opened_once_and_again_after_closing(home: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = {id(store) for store in threads.map(lambda _: process_store.store(), range(8))}
    assert len(stores) == 1 and isinstance(process_store.store(), EdgeStore)
    assert process_store.embedder() is process_store.embedder()
    assert process_store.store().count() == 0 and (home / "vectors").is_dir()
    first = process_store.store()
    process_store.close()
    process_store.close()
    assert process_store.store() is not first


def test_a_server_is_used_when_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    named = replace(settings.QUARRY, qdrant_url="http://127.0.0.1:9")
    monkeypatch.setattr(settings, "QUARRY", named)
    assert isinstance(process_store.store(), QdrantStore)


def test_the_store_opens_without_the_embedder_once_its_dimension_was_known(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model()
    monkeypatch.setattr(process_store, "make_embedder", lambda *arguments, **named: model)
    model.is_down = True
    with pytest.raises(EmbedderUnavailable):
        process_store.store()
    model.is_down = False
    assert process_store.store().count() == 0
    process_store.close()
    model.is_down = True
    assert process_store.store().count() == 0
    process_store.close()
    (home / "embedder_dimensions.json").write_text("{broken")
    with pytest.raises(EmbedderUnavailable):
        process_store.store()


def test_another_pair_for_a_while(embedder: WordLlamaEmbedder, tmp_path: Path) -> None:
    other = EdgeStore(tmp_path / "other", embedder="other", dimension=256)
    with process_store.bound(other, embedder):
        assert process_store.store() is other and process_store.embedder() is embedder
    assert process_store.store() is not other
    other.close()
