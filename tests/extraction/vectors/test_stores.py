"""The contract of both vector stores, and what is particular to each."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from qdrant_client import QdrantClient

from extraction.vectors.stores.base import Point, SearchFilter, StoreBusy, StoreRejected, StoreUnavailable, conditions
from extraction.vectors.stores.edge import EdgeStore
from extraction.vectors.stores.qdrant import QdrantStore

DIMENSION = 8
PROJECT, OTHER_PROJECT = UUID(int=1001), UUID(int=1002)
JOBS = [UUID(int=2001), UUID(int=2002), UUID(int=2003)]
ANY = SearchFilter()


def make_point(number: int, **payload: object) -> Point:
    """A point whose dense vector leans towards axis `number % 8` and whose tokens are `number` and 7."""
    dense = np.full(DIMENSION, 0.1, dtype=np.float32)
    dense[number % DIMENSION] = 1.0
    base = {
        "project_id": str(PROJECT),
        "job_id": str(JOBS[number % 3]),
        "kind": "passage",
        "source_group": f"group {number % 2}",
        "language": "en",
        "data": {},
    }
    return Point(UUID(int=number), dense, [7, 100 + number % 2**20], [0.5, 1.0], base | payload)


def axis(number: int) -> np.ndarray:
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[number] = 1.0
    return vector


class StoreContract:
    """Semantics that every store shares; subclasses say how to open one, with which embedder."""

    @pytest.fixture
    def open_store(self, tmp_path):
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store):
        return open_store("model-a")

    def test_upsert_is_searchable_and_repeatable(self, store):
        points = [make_point(number) for number in range(50)]
        store.upsert(points)
        store.upsert(points)
        assert store.count() == 50
        assert store.existing([UUID(int=3), UUID(int=999)]) == {UUID(int=3)}

    def test_the_same_id_is_replaced(self, store):
        store.upsert([make_point(1)])
        store.upsert([make_point(1, job_id=str(JOBS[2]))])
        assert store.count(job_ids=[JOBS[1]]) == 0
        assert store.count(job_ids=[JOBS[2]]) == 1

    def test_delete_ignores_unknown_ids_and_repeats(self, store):
        store.upsert([make_point(number) for number in range(10)])
        for _ in range(2):
            store.delete([UUID(int=4), UUID(int=5), UUID(int=12345)])
            assert store.count() == 8
        store.delete([])
        assert store.count() == 8

    def test_counts_by_job_and_project(self, store):
        store.upsert([make_point(number) for number in range(10)])
        store.upsert([make_point(20, project_id=str(OTHER_PROJECT))])
        assert store.count(job_ids=[JOBS[0]]) == 4
        assert store.count(job_ids=JOBS) == 11
        assert store.count(job_ids=[JOBS[2]], project_id=OTHER_PROJECT) == 1
        assert store.count(project_id=PROJECT) == 10
        assert store.count(job_ids=[]) == 0
        assert store.count(job_ids=[UUID(int=9)]) == 0

    def test_scrolls_all_ids_in_ascending_order(self, store):
        numbers = [5, 900, 2**127, 2**128 - 1, 17, 3]
        store.upsert([make_point(number) for number in numbers])
        seen: list[UUID] = []
        while page := store.scroll_ids(seen[-1] if seen else None, 4):
            assert len(page) <= 4
            seen += page
        assert seen == sorted(UUID(int=number) for number in numbers)

    def test_dense_search_ranks_by_cosine(self, store):
        store.upsert([make_point(number) for number in range(8)])
        hits = store.search_dense(axis(3), limit=3, filter=ANY)
        assert hits[0].id == UUID(int=3)
        assert len(hits) == 3
        assert hits[0].score == pytest.approx(1 / np.sqrt(1 + 7 * 0.01), abs=1e-4)
        assert hits[0].score > hits[1].score

    def test_sparse_search_weighs_rare_tokens_more(self, store):
        store.upsert([make_point(number) for number in range(8)])
        hits = store.search_sparse([7, 105], [1.0, 1.0], limit=8, filter=ANY)
        assert hits[0].id == UUID(int=5)
        assert len(hits) == 8
        idf_rare, idf_common = np.log(1 + 7.5 / 1.5), np.log(1 + 0.5 / 8.5)
        assert hits[0].score == pytest.approx(idf_rare + 0.5 * idf_common, rel=1e-3)

    def test_sparse_search_finds_only_shared_tokens(self, store):
        store.upsert([make_point(number) for number in range(8)])
        assert [hit.id for hit in store.search_sparse([106], [1.0], limit=8, filter=ANY)] == [UUID(int=6)]
        assert store.search_sparse([], [], limit=8, filter=ANY) == []

    def test_both_searches_at_once_equal_the_single_ones(self, store):
        store.upsert([make_point(number) for number in range(8)])
        dense, sparse = store.search_both(axis(2), [102], [1.0], limit=5, filter=ANY)
        assert dense[0] == store.search_dense(axis(2), limit=5, filter=ANY)[0]
        assert sparse == store.search_sparse([102], [1.0], limit=5, filter=ANY)
        assert store.search_both(axis(2), [], [], limit=5, filter=ANY)[1] == []

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (SearchFilter(project_id=OTHER_PROJECT), {20}),
            (SearchFilter(kinds=["extraction"]), {21}),
            (SearchFilter(kinds=["extraction", "passage"], job_ids=[JOBS[0]]), {0, 3, 21}),
            (SearchFilter(source_groups=["group 1"], project_id=PROJECT), {1, 3, 21, 23}),
            (SearchFilter(field_groups=["product"]), {21}),
            (SearchFilter(languages=["de", "fr"]), {22}),
            (SearchFilter(data={"brand": "Acme"}), {21}),
            (SearchFilter(data={"brand": ["Acme", "Bolt"]}), {21, 22}),
            (SearchFilter(data={"brand": "acme"}), set()),
            (SearchFilter(data={"price": 5}), {21, 22}),
            (SearchFilter(data={"price": [5.5, 7]}), {23}),
            (SearchFilter(data={"in stock": True}), {21}),
            (SearchFilter(data={"tags": "red"}), {22}),
            (SearchFilter(data={"size": {"width": 3}}), {23}),
            (SearchFilter(data={"brand": "Bolt", "price": 5}), {22}),
            (SearchFilter(data={"brand": None, "price": 5.5}), {23}),
        ],
    )
    def test_filters(self, store, wanted, expected):
        store.upsert([make_point(number) for number in range(4)])
        store.upsert([make_point(20, project_id=str(OTHER_PROJECT))])
        acme = {"brand": "Acme", "price": 5, "in stock": True}
        store.upsert([make_point(21, kind="extraction", field_group="product", data=acme)])
        store.upsert([make_point(22, language="fr", data={"brand": "Bolt", "price": 5.0, "tags": ["red", "big"]})])
        store.upsert([make_point(23, data={"price": 5.5, "size": {"width": 3}})])
        hits = store.search_dense(axis(0), limit=50, filter=wanted)
        assert {hit.id.int for hit in hits} == expected
        hits = store.search_sparse([7], [1.0], limit=50, filter=wanted)
        assert {hit.id.int for hit in hits} == expected

    def test_malformed_points_are_named_and_nothing_is_written(self, store):
        good = make_point(1)
        bad = [
            Point(UUID(int=2), np.ones(DIMENSION + 1, dtype=np.float32), [1], [1.0], {}),
            Point(UUID(int=3), np.full(DIMENSION, np.nan, dtype=np.float32), [1], [1.0], {}),
            Point(UUID(int=4), axis(0), [1, 1], [1.0, 1.0], {}),
            Point(UUID(int=5), axis(0), [2**64], [1.0], {}),
            Point(UUID(int=6), axis(0), [1], [], {}),
            Point(UUID(int=7), axis(0), [1], [1.0], {"at": object()}),
        ]
        with pytest.raises(StoreRejected) as caught:
            store.upsert([good, *bad])
        assert caught.value.ids == tuple(point.id for point in bad)
        assert "8 finite numbers" in caught.value.detail
        assert store.count() == 0

    def test_a_new_embedder_moves_points_and_deletes_reach_both(self, open_store):
        old = open_store("model-a")
        old.upsert([make_point(number) for number in range(6)])
        old.close()
        new = open_store("model-b")
        new.upsert([make_point(0), make_point(1)])
        assert new.count() == 6
        assert new.existing([UUID(int=number) for number in range(6)]) == {UUID(int=0), UUID(int=1)}
        assert new.scroll_ids(None, 10) == [UUID(int=number) for number in range(6)]
        assert {hit.id.int for hit in new.search_dense(axis(0), limit=9, filter=ANY)} == {0, 1}
        new.delete([UUID(int=0), UUID(int=5)])
        assert new.count() == 4
        assert new.scroll_ids(UUID(int=1), 2) == [UUID(int=2), UUID(int=3)]


class TestEdgeStore(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path):
        stores = []

        def opened(embedder):
            stores.append(EdgeStore(tmp_path / "vectors", embedder=embedder, dimension=DIMENSION))
            return stores[-1]

        yield opened
        for store in stores:
            store.close()

    def test_only_one_process_may_open_the_folder(self, store, tmp_path):
        with pytest.raises(StoreBusy, match="stop it first"):
            EdgeStore(tmp_path / "vectors", embedder="model-a", dimension=DIMENSION)
        store.close()
        store.close()
        EdgeStore(tmp_path / "vectors", embedder="model-a", dimension=DIMENSION).close()

    def test_a_closed_store_is_unavailable(self, store):
        store.close()
        with pytest.raises(StoreUnavailable):
            store.count()

    def test_an_unusable_folder_is_unavailable(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreUnavailable, match="Check its owner"):
            EdgeStore(tmp_path / "file", embedder="a", dimension=DIMENSION)

    def test_an_emptied_collection_of_a_former_embedder_is_removed(self, open_store, tmp_path):
        store = open_store("model-a")
        store.upsert([make_point(1)])
        store.delete([UUID(int=1)])
        store.close()
        open_store("model-b").close()
        assert [folder.name for folder in (tmp_path / "vectors").glob("quarry_*")] == ["quarry_model-b_8"]

    def test_a_half_made_collection_is_made_again(self, open_store, tmp_path):
        (tmp_path / "vectors" / "quarry_model-a_8.new" / "segments").mkdir(parents=True)
        store = open_store("model-a")
        store.upsert([make_point(1)])
        assert store.count() == 1

    def test_reads_and_writes_from_several_threads(self, store):
        failures: list[BaseException] = []

        def write(first: int) -> None:
            try:
                for start in range(first, first + 200, 20):
                    store.upsert([make_point(number) for number in range(start, start + 20)])
            except BaseException as error:
                failures.append(error)

        def read() -> None:
            try:
                for _ in range(30):
                    store.search_both(axis(1), [7], [1.0], limit=5, filter=ANY)
                    store.count(job_ids=JOBS)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(start,)) for start in (0, 200)]
        threads += [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert store.count() == 400

    def test_writes_and_deletes_survive_kill_9(self, tmp_path):
        """The child is killed right after the calls have returned, without a chance to flush or close."""
        script = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[3])]!r}
from pathlib import Path
from test_stores import *
store = EdgeStore(Path({str(tmp_path)!r}), embedder="model-a", dimension=DIMENSION)
store.upsert([make_point(number) for number in range(2000)])
store.delete([UUID(int=number) for number in range(0, 2000, 4)])
os.kill(os.getpid(), signal.SIGKILL)
"""
        child = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        store = EdgeStore(tmp_path, embedder="model-a", dimension=DIMENSION)
        try:
            assert store.count() == 1500
            assert store.scroll_ids(None, 3) == [UUID(int=1), UUID(int=2), UUID(int=3)]
            assert store.search_sparse([2099], [1.0], limit=3, filter=ANY)[0].id == UUID(int=1999)
        finally:
            store.close()


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")
class TestQdrantStoreSemantics(StoreContract):
    """The adapter over the client's own in-memory engine."""

    @pytest.fixture
    def open_store(self):
        client = QdrantClient(":memory:")
        closing, client.close = client.close, lambda **_: None

        def opened(embedder):
            return QdrantStore(client, embedder=embedder, dimension=DIMENSION)

        yield opened
        closing()


class FakeQdrant:
    """A local HTTP server that records requests and answers what a Qdrant server would, or a failure."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, object]] = []
        self.collections = ["quarry_model-a_8", "quarry_old_4", "somebody_else"]
        self.failure: tuple[int, dict[str, object]] | None = None

    def answer(self, method: str, path: str, body: object) -> tuple[int, object]:
        self.requests.append((method, path, body))
        if self.failure:
            return self.failure
        result: object = {"operation_id": 1, "status": "completed"}
        if path == "/collections":
            result = {"collections": [{"name": name} for name in self.collections]}
        elif path.endswith("/exists"):
            result = {"exists": path.split("/")[2] in self.collections}
        elif path.endswith("/count"):
            result = {"count": 3}
        elif path.endswith("/query/batch"):
            hit = {"id": str(UUID(int=5)), "version": 1, "score": 0.5}
            result = [{"points": [hit]} for _ in body["searches"]]
        elif method == "PUT" and path.count("/") == 2:
            result = True
        return 200, {"result": result, "status": "ok", "time": 0.0}

    def sent(self, method: str, suffix: str) -> list[tuple[str, object]]:
        return [(path, body) for verb, path, body in self.requests if verb == method and suffix in path]


@contextmanager
def serving(fake: FakeQdrant):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = fake.answer(self.command, self.path, body)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_POST = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestQdrantStoreOverHttp:
    @pytest.fixture
    def fake(self):
        return FakeQdrant()

    @pytest.fixture
    def store(self, fake):
        with serving(fake) as url:
            store = QdrantStore.connect(url, embedder="model-a", dimension=DIMENSION, timeout_seconds=2)
            yield store
            store.close()

    def test_creates_the_collection_with_idf_and_payload_indexes(self, store, fake):
        fake.collections.remove("quarry_model-a_8")
        store.search_sparse([7], [1.0], limit=1, filter=ANY)
        [(path, body)] = [entry for entry in fake.sent("PUT", "/collections/") if entry[0].count("/") == 2]
        assert path.startswith("/collections/quarry_model-a_8")
        assert body["vectors"] == {"dense": {"size": 8, "distance": "Cosine"}}
        assert body["sparse_vectors"] == {"bm25": {"modifier": "idf"}}
        indexes = {body["field_name"]: body["field_schema"] for _, body in fake.sent("PUT", "/index?wait=true")}
        assert set(indexes) == {"project_id", "job_id", "kind", "source_group", "field_group", "language"}
        assert indexes["project_id"] == {"type": "uuid", "is_tenant": True}
        assert indexes["kind"]["type"] == "keyword"

    def test_upsert_waits_and_removes_the_points_elsewhere(self, store, fake):
        store.upsert([make_point(5)])
        [(path, body)] = fake.sent("PUT", "/points")
        assert path == "/collections/quarry_model-a_8/points?wait=true"
        [point] = body["points"]
        assert point["id"] == str(UUID(int=5))
        assert point["vector"]["bm25"] == {"indices": [7, 105], "values": [0.5, 1.0]}
        assert len(point["vector"]["dense"]) == 8
        assert point["payload"]["project_id"] == str(PROJECT)
        assert fake.sent("POST", "/points/delete") == [
            ("/collections/quarry_old_4/points/delete?wait=true", {"points": [str(UUID(int=5))]})
        ]

    def test_delete_waits_and_reaches_our_collections_only(self, store, fake):
        store.delete([UUID(int=1), UUID(int=2)])
        assert [path for path, _ in fake.sent("POST", "/points/delete")] == [
            "/collections/quarry_model-a_8/points/delete?wait=true",
            "/collections/quarry_old_4/points/delete?wait=true",
        ]

    def test_count_is_exact_over_our_collections(self, store, fake):
        assert store.count(job_ids=[JOBS[0]]) == 6
        bodies = [body for _, body in fake.sent("POST", "/points/count")]
        condition = {"key": "job_id", "match": {"value": str(JOBS[0])}}
        assert bodies == [{"filter": {"must": [condition]}, "exact": True}] * 2

    def test_both_searches_travel_in_one_request(self, store, fake):
        dense, sparse = store.search_both(axis(1), [7], [1.0], limit=4, filter=SearchFilter(kinds=["passage"]))
        assert [hit.id for hit in dense + sparse] == [UUID(int=5), UUID(int=5)]
        [(_, body)] = fake.sent("POST", "/points/query/batch")
        assert [search["using"] for search in body["searches"]] == ["dense", "bm25"]
        assert {search["limit"] for search in body["searches"]} == {4}
        assert body["searches"][1]["query"] == {"nearest": {"indices": [7], "values": [1.0]}}

    @pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
    def test_trouble_is_unavailable(self, store, fake, status):
        fake.failure = (status, {"status": {"error": "trouble"}})
        with pytest.raises(StoreUnavailable, match="QDRANT_URL"):
            store.count()

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_refusals_name_the_batch(self, store, fake, status):
        store.upsert([make_point(1)])
        fake.failure = (status, {"status": {"error": "Wrong input: bad payload"}})
        with pytest.raises(StoreRejected, match="Wrong input") as caught:
            store.upsert([make_point(2), make_point(3)])
        assert caught.value.ids == (UUID(int=2), UUID(int=3))

    def test_a_collection_that_vanished_is_made_again(self, store, fake):
        store.upsert([make_point(1)])
        fake.failure = (404, {"status": {"error": "Not found: Collection"}})
        with pytest.raises(StoreUnavailable):
            store.upsert([make_point(1)])
        fake.failure = None
        fake.collections.remove("quarry_model-a_8")
        fake.requests.clear()
        store.upsert([make_point(1)])
        created, _ = fake.sent("PUT", "/collections/")[0]
        assert created.split("?")[0] == "/collections/quarry_model-a_8"

    def test_nobody_listening_is_unavailable(self):
        with serving(FakeQdrant()) as url:
            pass
        store = QdrantStore.connect(url, embedder="a", dimension=DIMENSION, timeout_seconds=1)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.delete([UUID(int=1)])
        store.close()


@pytest.mark.parametrize("data", [{'a"b': 1}, {"": 1}, {"a": float("nan")}, {"a": [object()]}])
def test_data_filters_that_no_payload_can_be_asked_for_are_rejected(data):
    with pytest.raises(StoreRejected):
        conditions(SearchFilter(data=data))
