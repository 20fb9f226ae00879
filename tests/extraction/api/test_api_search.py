"""Search over REST, on the embedded store with the bundled embedder."""

from uuid import UUID

import pytest

from extraction.vectors import process_store
from extraction.vectors.embedding import WordLlamaEmbedder
from extraction.vectors.stores.base import StoreUnavailable
from jobs.models import Project
from tests.helpers.api_client import problem_of

REQUIRED = {"extraction_id", "score", "data", "source_group", "source_uri", "confidence"}


@pytest.fixture
def search(api, knowledge, drained):
    """Return a function that searches what the test has stored, and returns the reply."""

    def send(query="probe", **fields):
        return api.post(f"/projects/{knowledge.project.pk}/search", {"query": query, **fields})

    return send


@pytest.mark.django_db(transaction=True)
def test_an_extraction_and_a_passage_answer(search, knowledge, drained):
    passage = knowledge.passage("the <b>probe</b> is cleaned with water", heading_path=["Care", "Cleaning"])
    extraction = knowledge.extraction({"title": "River probe"})
    drained()
    reply = search()
    body = reply.json()
    assert reply.status_code == 200
    assert (body["query"], body["total"], body["warnings"]) == ("probe", 2, [])
    hits = {hit["kind"]: hit for hit in body["results"]}
    assert all(hit.keys() >= REQUIRED for hit in body["results"])
    assert hits["extraction"]["extraction_id"] == str(extraction.pk)
    assert (hits["extraction"]["data"], hits["extraction"]["confidence"]) == ({"title": "River probe"}, 0.9)
    assert (hits["passage"]["extraction_id"], hits["passage"]["passage_id"]) == (None, str(passage.pk))
    assert hits["passage"]["data"] == {
        "text": "the <b>probe</b> is cleaned with water",
        "heading_path": ["Care", "Cleaning"],
    }
    assert {hit["source_uri"] for hit in body["results"]} == {"https://a.test/"}
    assert {"probe"} == {
        part["text"].lower() for hit in body["results"] for part in hit["snippet"] if part["is_match"]
    } & {"probe"}


@pytest.mark.django_db(transaction=True)
def test_restrictions(search, knowledge, drained):
    knowledge.passage("the probe is cleaned")
    knowledge.extraction({"title": "River probe", "price": 5})
    drained()

    def kinds(**fields):
        return sorted(hit["kind"] for hit in search(**fields).json()["results"])

    assert kinds() == ["extraction", "passage"]
    assert kinds(limit=None, source_groups=None, filters=None, field_groups=None, languages=None, kinds=None) == kinds()
    assert len(kinds(limit=1)) == 1
    assert kinds(source_groups=["acme"]) == kinds()
    assert kinds(source_groups=["other"]) == []
    assert kinds(filters={"price": 5}) == ["extraction"]
    assert kinds(filters={"price": [1, 2]}) == []
    assert kinds(field_groups=["product"]) == ["extraction"]
    assert kinds(kinds=["passage"]) == ["passage"]
    assert kinds(languages=["de"]) == []


@pytest.mark.django_db(transaction=True)
def test_what_has_no_effect_and_what_lags_is_named(search, knowledge):
    knowledge.passage()
    warnings = search(include_merge_metadata=True).json()["warnings"]
    assert warnings[0].startswith("include_merge_metadata")
    assert "1 change behind" in warnings[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"query": ""}, "The query is empty"),
        ({"query": "  "}, "The query is empty"),
        ({"query": None}, "query must be a valid string."),
        ({"query": "x" * 3000}, "shorten it"),
        ({"query": "x" * 20_000}, "query must have at most 10000 characters."),
        ({"limit": 0}, "limit must be greater than or equal to 1."),
        ({"limit": 101}, "limit must be less than or equal to 100."),
        ({"filters": ["x"]}, "filters must be a JSON object."),
        ({"filters": {'a"b': 1}}, "is not a field name"),
        ({"filters": {"a": [[1]]}}, "'a' is filtered by something other"),
        ({"kinds": ["page"]}, "There is no kind 'page'"),
        ({"source_groups": "acme"}, "source_groups must be a valid list."),
    ],
)
def test_bad_input_is_told_in_one_sentence(search, fields, told):
    assert told in problem_of(search(**fields), 422)["detail"]


@pytest.mark.django_db
def test_unknown_and_deleted_projects_are_404(api):
    problem_of(api.post(f"/projects/{UUID(int=9)}/search", {"query": "x"}), 404, "not_found")
    project = Project.objects.create(name="gone", is_active=False)
    problem_of(api.post(f"/projects/{project.pk}/search", {"query": "x"}), 404, "not_found")


@pytest.mark.django_db
def test_a_store_that_is_down_is_503(api):
    class Down:
        def search_both(self, *args, **kwargs):
            raise StoreUnavailable("The store does not answer; start it.")

    project = Project.objects.create(name="p")
    with process_store.bound(Down(), WordLlamaEmbedder()):
        reply = api.post(f"/projects/{project.pk}/search", {"query": "river probe"})
    assert problem_of(reply, 503, "unavailable")["detail"].endswith("The store does not answer; start it.")
