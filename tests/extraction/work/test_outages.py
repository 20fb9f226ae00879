"""A service that an extractor needs is out of order: the source is tried again, never answered weaker."""

from typing import Any
from uuid import UUID

import pytest

from crawling.models import Source
from extraction.errors import NotApplicable
from extraction.models import Extraction
from extraction.vectors.embedding import EmbedderUnavailable
from extraction.vectors.stores.base import StoreUnavailable
from extraction.work import worker
from extraction.work.submission import extract_submit
from jobs.errors import QuarryError, Unavailable
from jobs.ledger import settle
from jobs.models import Job, WorkItem
from jobs.registry.kinds import JobRef
from jobs.worker import runner
from tests.helpers.crawls import drive, lanes_of, waits_end
from tests.helpers.extractions import found, page_store, product

pytestmark = pytest.mark.django_db(transaction=True)
SENTENCE = "The model at http://llm.test does not answer; start it, or unset LLM_BASE_URL."


class Overloaded(QuarryError):
    """The service asks for patience"""

    is_temporary = True


class Model:
    """An extractor that needs a service, which a test can stop."""

    name = "model"

    def __init__(self) -> None:
        self.error: QuarryError | None = None

    def extract(self, page: Any, group: Any, missing: frozenset[str]) -> Any:
        if self.error is not None:
            raise self.error
        raise NotApplicable("The model finds nothing.")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    """The model, asked before the page's selectors; its failures wait longer than a slice would."""
    asked, cheap = Model(), worker.extractors()
    monkeypatch.setattr(worker, "extractors", lambda: [cheap[0], asked, *cheap[1:]])
    monkeypatch.setattr(settle, "BACKOFF_SECONDS", 600.0)
    return asked


@pytest.fixture
def source(crawl: JobRef) -> UUID:
    """A page of the project."""
    return page_store(crawl, "/mug", product("Mug", colour="blue"))


def submitted(source: UUID) -> UUID:
    return extract_submit(project_id=Source.objects.get(pk=source).project_id)


def one_try(job_id: UUID) -> WorkItem:
    """Serve the job's lane once and return its item."""
    waits_end(job_id)
    [lane_id] = lanes_of(job_id)
    runner.slice_run(lane_id=lane_id)
    return WorkItem.objects.get(job_id=job_id)


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(SENTENCE, code="llm_unavailable"),
        StoreUnavailable(SENTENCE),
        EmbedderUnavailable(SENTENCE),
        Overloaded(SENTENCE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_gives_the_item_back_until_it_is_over(model: Model, source: UUID, error: QuarryError) -> None:
    model.error = error
    job_id = submitted(source)
    item = one_try(job_id)
    assert (item.state, item.attempts, item.reason, item.result["detail"]) == ("pending", 1, "", SENTENCE)
    assert item.not_before is not None, "the ledger's back-off is at work"
    assert not Extraction.objects.exists(), "no weaker answer is stored"
    model.error = None
    job = drive(job_id)
    assert WorkItem.objects.values_list("state", "outcome", "attempts").get(job=job) == ("done", "extracted", 1)
    assert found(source)["product"] == {"name": "Mug", "colour": "blue"}


def test_an_outage_that_does_not_end_fails_the_item_with_its_reason(model: Model, source: UUID) -> None:
    model.error = Unavailable(SENTENCE, code="llm_unavailable")
    job = drive(submitted(source))
    item = WorkItem.objects.get(job=job)
    assert (item.state, item.reason, item.attempts) == ("failed", "llm_unavailable", settle.MAX_ATTEMPTS)
    assert item.result["detail"] == SENTENCE
    assert Job.objects.get(pk=job.pk).status == "failed", "nothing succeeded"


def test_an_error_that_lasts_is_not_tried_again(model: Model, source: UUID) -> None:
    model.error = QuarryError("This will never work.")
    item = one_try(submitted(source))
    assert (item.state, item.reason, item.attempts) == ("failed", "internal", 0)
