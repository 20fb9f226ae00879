"""Hybrid search on real rows, real vectors and the real embedded store."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawling.models import Source
from extraction.models import Extraction, Passage, VectorChange
from extraction.search import hybrid
from extraction.search.hybrid import SearchResults, search
from extraction.search.rows import has_data
from extraction.search.snippets import snippet_make
from extraction.vectors import process_store
from extraction.vectors.embedding import EmbedderUnavailable
from extraction.vectors.points import extraction_text, passage_text
from extraction.vectors.stores.base import StoreUnavailable
from jobs.errors import Invalid, Unavailable
from jobs.models import Project
from tests.helpers.knowledge import Knowledge, TrippingStore

TEXTS = [
    "The turbidity probe is calibrated with formazin before the winter season.",
    "Our office in Berlin is open from Monday to Friday.",
    "Invoices are payable within thirty days of delivery.",
    "The pH electrode is stored in potassium chloride solution.",
    "River levels are transmitted by radio every fifteen minutes.",
    "Batteries last for two years when readings are hourly.",
]


class TestSearch:
    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def filled(self, knowledge: Knowledge, drained: Callable[[], None]) -> Knowledge:
        for text in TEXTS:
            knowledge.passage(text, heading_path=["Guide"], context="River probes > Guide")
        german = knowledge.make_source("https://b.test/de", source_group="globex", language="de", title="Sonden")
        knowledge.passage("Die Sonde wird mit Formazin kalibriert.", source=german)
        knowledge.extraction({"name": "AQ-20", "measures": "turbidity", "price": 1250, "in_stock": True})
        knowledge.extraction({"name": "CS-2", "measures": "conductivity", "price": 480.5}, source=german)
        knowledge.extraction({"name": "Ada Winter", "role": "engineer"}, field_group="person")
        drained()
        return knowledge

    def ask(self, filled: Knowledge, query: str, **options: Any) -> SearchResults:
        return search(project_id=filled.project.pk, query=query, **options)

    def test_a_passage_answers_with_its_source_and_snippet(self, filled: Knowledge) -> None:
        page = self.ask(filled, "how do I calibrate the turbidity probe?", kinds=["passage"])
        best = page.hits[0]
        assert (best.kind, best.text, best.heading_path) == ("passage", TEXTS[0], ["Guide"])
        assert (best.source_url, best.source_title, best.source_group) == (
            "https://a.test/",
            "River probes",
            "acme",
        )
        assert (best.confidence, best.data, best.language) == (None, {}, "en")
        assert ("turbidity", True) in best.snippet and ("probe", True) in best.snippet
        assert "".join(text for text, _ in best.snippet) == TEXTS[0]
        assert [hit.score for hit in page.hits] == sorted((hit.score for hit in page.hits), reverse=True)
        assert (page.total, page.warnings, page.query) == (7, [], "how do I calibrate the turbidity probe?")

    def test_an_extraction_answers_with_data_and_evidence(self, filled: Knowledge) -> None:
        best = self.ask(filled, "AQ-20 price", kinds=["extraction"]).hits[0]
        assert (best.kind, best.field_group, best.confidence) == ("extraction", "product", 0.9)
        assert best.data == {"name": "AQ-20", "measures": "turbidity", "price": 1250, "in_stock": True}
        assert best.evidence["price"]["quote"] == "1250"
        assert best.text.splitlines()[1] == "name: AQ-20"

    def test_both_kinds_are_found_together(self, filled: Knowledge) -> None:
        assert {hit.kind for hit in self.ask(filled, "turbidity").hits} == {"passage", "extraction"}

    def test_limit_and_total(self, filled: Knowledge) -> None:
        page = self.ask(filled, "probe", limit=2)
        assert (len(page.hits), page.total) == (2, 10)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"source_groups": ["globex"]}, {"CS-2", "de"}),
            ({"source_groups": ["globex", "acme"], "kinds": ["extraction"]}, {"AQ-20", "CS-2", "Ada Winter"}),
            ({"field_groups": ["person"]}, {"Ada Winter"}),
            ({"languages": ["de"], "kinds": ["passage"]}, {"de"}),
            ({"data": {"measures": "turbidity"}}, {"AQ-20"}),
            ({"data": {"price": 480.5}}, {"CS-2"}),
            ({"data": {"price": [480.5, 1250.0]}}, {"AQ-20", "CS-2"}),
            ({"data": {"in_stock": True}}, {"AQ-20"}),
            ({"data": {"name": "nobody"}}, set()),
            ({"source_groups": ["nowhere"]}, set()),
        ],
    )
    def test_restrictions(self, filled: Knowledge, options: dict[str, Any], expected: set[str]) -> None:
        hits = self.ask(filled, "probe calibration turbidity price", limit=100, **options).hits
        assert {hit.data.get("name", hit.language) for hit in hits} == expected

    def test_rows_of_another_project_never_answer(self, filled: Knowledge, store: TrippingStore) -> None:
        other = Project.objects.create(name="Lakes")
        assert search(project_id=other.pk, query="turbidity").hits == []
        # Even while the store still says the old project, PostgreSQL decides.
        Passage.objects.update(project=other)
        Extraction.objects.update(project=other)
        page = self.ask(filled, "turbidity")
        assert (page.hits, page.total) == ([], 0)
        assert page.warnings == [
            "The search index is 10 changes behind; the newest content may be missing for a moment."
        ]

    def test_a_deleted_row_never_answers(self, filled: Knowledge) -> None:
        assert TEXTS[0] in [hit.text for hit in self.ask(filled, "formazin", kinds=["passage"]).hits[:2]]
        Passage.objects.filter(text=TEXTS[0]).delete()
        assert VectorChange.objects.filter(operation="delete").count() == 1
        assert TEXTS[0] not in [hit.text for hit in self.ask(filled, "formazin", limit=100).hits]

    def test_stale_payloads_do_not_decide(self, filled: Knowledge) -> None:
        Source.objects.filter(source_group="globex").update(source_group="initech", language="fr")
        Extraction.objects.filter(field_group="person").update(field_group="staff")
        for options in ({"source_groups": ["globex"]}, {"languages": ["de"]}, {"field_groups": ["person"]}):
            assert self.ask(filled, "probe", **options).hits == []

    def test_values_without_evidence_neither_answer_nor_show(
        self, filled: Knowledge, drained: Callable[[], None]
    ) -> None:
        filled.extraction({"name": "BG-5", "rumour": "zanzibar"}, ungrounded=["rumour"])
        filled.extraction({"rumour": "zanzibar"}, ungrounded=["rumour"])
        drained()
        hits = self.ask(filled, "zanzibar", kinds=["extraction"], limit=100).hits
        shown = [hit for hit in hits if hit.data.get("name") == "BG-5"]
        assert len(shown) == 1 and shown[0].data == {"name": "BG-5"} and set(shown[0].evidence) == {"name"}
        assert all("zanzibar" not in hit.text for hit in hits)
        assert not any(is_match for hit in hits for _, is_match in hit.snippet)
        assert all(hit.data for hit in hits), "an extraction with no evidence at all is left out"
        assert self.ask(filled, "BG-5", data={"rumour": "zanzibar"}).hits == []

    @pytest.mark.parametrize("query", ["", "   ", "\x00\n"])
    def test_an_empty_query_is_refused(self, filled: Knowledge, query: str) -> None:
        with pytest.raises(Invalid, match="write what you are looking for") as caught:
            self.ask(filled, query)
        assert caught.value.code == "empty_query"

    @pytest.mark.parametrize(
        "options",
        [{"limit": 0}, {"limit": 101}, {"kinds": ["page"]}, {"data": {'a"b': 1}}, {"data": {"a": object()}}],
    )
    def test_bad_options_are_refused(self, filled: Knowledge, options: dict[str, Any]) -> None:
        with pytest.raises(Invalid) as caught:
            self.ask(filled, "probe", **options)
        assert caught.value.detail.endswith(".")

    def test_long_queries(self, filled: Knowledge) -> None:
        page = self.ask(filled, "x" * 2000)
        assert page.query == "x" * 2000
        with pytest.raises(Invalid, match="at most 2000"):
            self.ask(filled, "x" * 2001)

    def test_hostile_text_stays_plain(self, filled: Knowledge, drained: Callable[[], None]) -> None:
        filled.passage("<script>alert('turbine')</script> & more")
        drained()
        best = self.ask(filled, "turbine alert", kinds=["passage"]).hits[0]
        assert "".join(text for text, _ in best.snippet) == "<script>alert('turbine')</script> & more"

    def test_a_query_without_words_says_so(self, filled: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_store.embedder(), "embed_query", lambda text: np.zeros(256, dtype=np.float32))
        page = self.ask(filled, "?!")
        assert page.hits == [] and "no words" in page.warnings[0]
        assert self.ask(filled, "formazin").hits, "BM25 answers alone where the embedder knows nothing"

    @pytest.mark.parametrize("error", [StoreUnavailable("no store."), EmbedderUnavailable("no embedder.")])
    def test_an_outage_is_said(self, filled: Knowledge, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def away() -> None:
            raise error

        monkeypatch.setattr(process_store, "store", away)
        with pytest.raises(Unavailable, match=f"Search is not available: {error}"):
            self.ask(filled, "probe")

    def test_a_long_lag_is_counted_up_to_a_number(self, filled: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hybrid, "MAX_LAG_COUNTED", 2)
        for count in ("1 change", "2 changes", "more than 2 changes", "more than 2 changes"):
            filled.passage()
            assert self.ask(filled, "probe").warnings == [
                f"The search index is {count} behind; the newest content may be missing for a moment."
            ]


class TestTexts:
    def test_a_passage_is_indexed_with_its_context_and_without_link_targets(self) -> None:
        text = passage_text(text="See [the guide](https://a.test/x).", context="Probes > Care")
        assert text == "Probes > Care\nSee the guide."

    def test_an_extraction_is_indexed_as_people_read_it(self) -> None:
        data = {"list_price": {"amount": "5", "currency": "EUR"}, "tags": ["a", "b"], "in_stock": False}
        assert extraction_text(field_group="spare_part", data=data, title="Shop") == (
            "spare part\nShop\nlist price: 5 EUR\ntags: a, b\nin stock: no"
        )

    def test_has_data(self) -> None:
        data = {"price": {"amount": 5, "currency": "EUR"}, "tags": ["a", "b"], "sold": True}
        assert has_data(data, {"price": {"currency": "EUR"}, "tags": "b", "sold": True, "other": None})
        for wanted in ({"price": {"currency": "USD"}}, {"tags": "c"}, {"sold": 1}, {"price": 5}, {"tags": None}):
            assert not has_data(data, wanted), wanted
        assert has_data({"n": 5}, {"n": 5.0}) and has_data({"n": 5}, {"n": [4, 5]})


class TestSnippets:
    def test_words_match_as_in_the_index(self) -> None:
        segments = snippet_make("Two Probes, max_depth and naïve Zähler.", "probe depth zähler")
        assert [text for text, is_match in segments if is_match] == ["Probes", "max_depth", "Zähler"]

    def test_question_words_do_not_match(self) -> None:
        segments = snippet_make("How is the probe cleaned?", "how is the probe cleaned")
        assert [text for text, is_match in segments if is_match] == ["probe", "cleaned"]

    def test_the_densest_window_is_shown(self) -> None:
        text = "probe " + "filler " * 200 + "the turbidity probe is calibrated " + "filler " * 200
        segments = snippet_make(text, "calibrated turbidity probe")
        assert [text for text, is_match in segments if is_match] == ["turbidity", "probe", "calibrated"]
        assert segments[0][0].startswith("…") and segments[-1][0].endswith("…")

    def test_without_a_match_the_beginning_is_shown(self) -> None:
        assert snippet_make("a  b\n c", "zzz") == [("a b c", False)]
        assert snippet_make("word " * 200, "zzz")[0][0].startswith("word word")
        assert snippet_make("", "zzz") == []

    def test_scripts_without_spaces_match_inside_a_run(self) -> None:
        segments = snippet_make("東京都の水質を測定する", "水質測定")
        assert [text for text, is_match in segments if is_match] == ["水質", "測定"]

    @given(st.text(max_size=600), st.text(min_size=1, max_size=40), st.integers(20, 400))
    def test_segments_are_a_piece_of_the_text(self, text: str, query: str, size: int) -> None:
        segments = snippet_make(text, query, max_characters=size)
        plain = " ".join(text.split())
        shown = "".join(part for part, _ in segments)
        assert all(part for part, _ in segments)
        assert all(first[1] is not second[1] for first, second in pairwise(segments))
        assert len(shown) <= size + 2
        inner = shown[1:] if shown.startswith("…") and not plain.startswith("…") else shown
        inner = inner[:-1] if inner.endswith("…") and not plain.endswith("…") else inner
        assert inner in plain or shown in plain

    @given(st.text(min_size=1, max_size=40))
    def test_a_text_that_is_the_query_shows_all_of_it(self, text: str) -> None:
        shown = "".join(part for part, _ in snippet_make(text, text))
        assert shown == " ".join(text.split())


def test_unknown_project_has_no_rows(db: None, store: TrippingStore) -> None:
    page = search(project_id=UUID(int=1), query="probe")
    assert (page.hits, page.total, page.warnings) == ([], 0, [])
