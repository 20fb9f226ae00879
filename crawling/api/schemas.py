"""Shapes of requests and replies about crawls, scrapes and cancelling."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator

from crawling.web.patterns import MAX_PATTERN_CHARACTERS, MAX_PATTERNS
from crawling.work.submission import DEFAULT_DEPTH, DEFAULT_LIMIT, MAX_PAGES, MAX_SCRAPED_URLS, CrawlOptions
from jobs.api.schemas import GroupName, Reply, RequestBody, TextOrNull
from jobs.models import KEY_MAX_CHARACTERS
from jobs.states import JobStatus

MAX_LANGUAGES = 100
MAX_FOCUS_TERMS = 100

Url = Annotated[str, Field(max_length=KEY_MAX_CHARACTERS)]
Pattern = Annotated[str, Field(max_length=MAX_PATTERN_CHARACTERS)]
Patterns = Annotated[list[Pattern], Field(max_length=MAX_PATTERNS)]
LanguageCode = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class CrawlIn(RequestBody):
    """A crawl to start; everything but `url` and `project_id` may be null or left out."""

    url: Url
    project_id: UUID
    company: GroupName | None = Field(None, description="Source group; none: the host's name.")
    max_depth: Annotated[int, Field(ge=1, le=10)] | None = Field(None, description=f"None: {DEFAULT_DEPTH}.")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGES)] | None = Field(
        None, description=f"Pages at most; none: {DEFAULT_LIMIT}."
    )
    include_paths: Patterns | None = None
    exclude_paths: Patterns | None = None
    allow_backward_links: bool | None = Field(None, description="None: true.")
    allow_subdomains: bool | None = Field(None, description="None: false.")
    ignore_query_parameters: bool | None = Field(None, description="None: false.")
    auto_extract: bool | None = Field(None, description="None: true.")
    prefer_english_only: bool | None = Field(None, description="Same as allowed_languages en, unless those are given.")
    allowed_languages: Annotated[list[LanguageCode], Field(max_length=MAX_LANGUAGES)] | None = None
    smart_crawl_enabled: bool | None = None
    relevance_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    focus_terms: Annotated[list[Word], Field(max_length=MAX_FOCUS_TERMS)] | None = None

    @property
    def options(self) -> CrawlOptions:
        """How to crawl, defaults in place of nulls."""
        english = ["en"] if self.prefer_english_only else []
        return CrawlOptions(
            source_group=(self.company or "").strip(),
            max_depth=self.max_depth or DEFAULT_DEPTH,
            limit=self.limit or DEFAULT_LIMIT,
            include_paths=tuple(self.include_paths or ()),
            exclude_paths=tuple(self.exclude_paths or ()),
            allow_backward_links=self.allow_backward_links is not False,
            allow_subdomains=bool(self.allow_subdomains),
            ignore_query_parameters=bool(self.ignore_query_parameters),
            auto_extract=self.auto_extract is not False,
            allowed_languages=tuple(self.allowed_languages or english),
        )

    @property
    def warnings(self) -> list[str]:
        """Which of the given parameters have no effect."""
        return self.ineffective("smart_crawl_enabled", "relevance_threshold", "focus_terms")


class CrawlStarted(Reply):
    """A crawl that was accepted."""

    job_id: UUID
    status: JobStatus
    url: str
    max_depth: int
    limit: int
    project_id: UUID
    company: str
    warnings: list[str]


class CrawlOut(Reply):
    """How a crawl stands. All numbers are counts over its ledger of URLs, robots.txt and sitemaps left out."""

    job_id: UUID
    status: JobStatus
    url: str
    pages_total: int = Field(
        description="Pages fetched or still to be fetched: done, claimed and pending ones, at most the limit,"
        " and failed ones. Redirects and skipped URLs do not count."
    )
    pages_completed: int = Field(description="Pages done; redirects do not count.")
    sources_created: int = Field(description="Sources that the job holds: pages it stored or found unchanged.")
    error: TextOrNull
    created_at: datetime
    completed_at: datetime | None
    smart_crawl_enabled: bool
    urls_discovered: int = Field(description="All URLs in scope that were found, whatever became of them.")
    urls_relevant: int = Field(description="URLs discovered less those skipped as irrelevant.")
    project_id: UUID
    company: str


class ScrapeIn(RequestBody):
    """URLs to fetch."""

    urls: Annotated[list[Url], Field(min_length=1, max_length=MAX_SCRAPED_URLS)]
    project_id: UUID
    company: GroupName | None = Field(None, description="Source group; none: the first URL's host.")

    @field_validator("urls", mode="before")
    @classmethod
    def _one_is_a_list(cls, urls: object) -> object:
        return [urls] if isinstance(urls, str) else urls

    @property
    def warnings(self) -> list[str]:
        """Which of the given parameters have no effect."""
        return self.ineffective()


class ScrapeStarted(Reply):
    """A scrape that was accepted; equal URLs count once."""

    job_id: UUID
    status: JobStatus
    url_count: int
    project_id: UUID
    company: str
    warnings: list[str]


class ScrapeOut(Reply):
    """How a scrape stands."""

    job_id: UUID
    status: JobStatus
    company: str
    url_count: int
    urls: list[str]
    created_at: datetime
    completed_at: datetime | None
    error: TextOrNull
    project_id: UUID
