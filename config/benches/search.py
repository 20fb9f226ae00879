"""Bench `search`: questions a reader would ask, on real documentation, through the product's own search."""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from config.benches import Measured
from config.benches.commands import command_run
from config.benches.documentation import POSTGRESQL, require, served
from extraction.models import Passage
from extraction.search.hybrid import search
from extraction.states import PointKind
from extraction.vectors import process_store
from extraction.vectors.stores.base import Hit, VectorStore
from jobs.control.projects import DEFAULT_PROJECT, project_named

QUESTIONS = Path(__file__).with_name("postgresql_questions.json")
HITS = 100  #: asked for, so that a page below the fifth place still has a rank
TOP_PAGES = 5
USUAL_LIMIT = 10  #: what people ask for, when the time is taken


class OneSide:
    """A store that answers with one of its two lists only, so that everything else stays the product's own."""

    def __init__(self, store: VectorStore, *, dense: bool) -> None:
        self._store = store
        self._dense = dense

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def search_both(self, *args: Any, **kwargs: Any) -> tuple[list[Hit], list[Hit]]:
        """Return (dense hits, []) or ([], sparse hits)."""
        dense, sparse = self._store.search_both(*args, **kwargs)
        return (dense, []) if self._dense else ([], sparse)


def run() -> Measured:
    """Return recall and rank of the three rankings, by page, and how long a search takes."""
    require(POSTGRESQL)
    questions = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    with served(POSTGRESQL) as url:
        crawled = command_run(["crawl", url])
    project_id = project_named(DEFAULT_PROJECT)
    store = process_store.store()
    rankings: dict[str, VectorStore] = {
        "hybrid": store,
        "bm25": OneSide(store, dense=False),
        "dense": OneSide(store, dense=True),
    }
    figures: dict[str, Any] = {
        "questions": len(questions),
        "sources": crawled.reply["result"]["sources"],
        "passages": Passage.objects.filter(project_id=project_id).count(),
    }
    figures |= {name: quality(project_id, questions, ranking) for name, ranking in rankings.items()}
    for other in ("bm25", "dense"):
        figures[f"difference_to_{other}"] = {
            key: round(figures["hybrid"][key] - figures[other][key], 3) for key in ("recall_at_5", "mrr")
        }
    return Measured({**figures, **_times(project_id, questions)})


def quality(project_id: UUID, questions: Sequence[dict[str, Any]], store: VectorStore) -> dict[str, float]:
    """Return recall_at_5 and mrr: the share of questions with a right page among the first five, and the mean of
    1/rank of the first right page (0 where none was found).
    """
    ranks = [_rank(project_id, question, store) for question in questions]
    return {
        "recall_at_5": round(sum(rank is not None and rank <= TOP_PAGES for rank in ranks) / len(ranks), 3),
        "mrr": round(statistics.fmean(1 / rank if rank else 0.0 for rank in ranks), 3),
    }


def _rank(project_id: UUID, question: dict[str, Any], store: VectorStore) -> int | None:
    """Return the place of the first right page, from 1; None if it is not among the hits."""
    page = search(project_id=project_id, query=question["question"], limit=HITS, kinds=[PointKind.PASSAGE], store=store)
    pages = dict.fromkeys(hit.source_url.rpartition("/")[2] for hit in page.hits)
    return next((place for place, name in enumerate(pages, 1) if name in question["pages"]), None)


def _times(project_id: UUID, questions: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the time of a whole search, query to hits with snippets, of all kinds."""
    milliseconds = []
    for question in questions:
        began = time.perf_counter()
        search(project_id=project_id, query=question["question"], limit=USUAL_LIMIT)
        milliseconds.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(milliseconds, n=20, method="inclusive")
    return {"search_p50_ms": round(statistics.median(milliseconds), 1), "search_p95_ms": round(cuts[-1], 1)}
