"""Shapes of requests and replies about crawls and scrapes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator

from crawling.web.patterns import MAX_PATTERN_CHARACTERS, MAX_PATTERNS
from crawling.web.scope import ScopeMode
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
    """A crawl to start; every field but `url` and `project_id` may be null or left out, which mean the same."""

    url: Url
    project_id: UUID
    company: GroupName | None = Field(None, description="Source group. Default: the host's name.")
    max_depth: Annotated[int, Field(ge=1, le=10)] | None = Field(
        None, description=f"How many links away from `url` a page may be. Default: {DEFAULT_DEPTH}."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGES)] | None = Field(
        None, description=f"How many pages to fetch at most. Default: {DEFAULT_LIMIT:,}."
    )
    include_paths: Patterns | None = Field(
        None,
        description="Fetch only these paths: globs such as /docs/*, or regular expressions such as ^/docs/[a-c]."
        " Default: all.",
    )
    exclude_paths: Patterns | None = Field(
        None, description="Never fetch these paths; what is excluded stays out even if it is included, too."
    )
    scope: ScopeMode | None = Field(
        None,
        description="Which URLs belong to the crawl. host: those of the same host; subdomains: also those of its"
        " subdomains; domain: those of every host of the same registered domain; prefix: those of the same host below"
        " path_prefix. Default: host, or subdomains if allow_subdomains is true.",
    )
    path_prefix: Url | None = Field(
        None, description="With scope prefix, the folder to stay in, such as /docs/. Default: the folder of `url`."
    )
    allow_backward_links: bool | None = Field(
        None, description="False: stay in the folder of `url`. Cannot be true with scope prefix. Default: true."
    )
    allow_subdomains: bool | None = Field(
        None,
        description="True: the same as scope subdomains; refused with scope host or prefix, as is false with scope"
        " subdomains or domain. Default: false.",
    )
    ignore_query_parameters: bool | None = Field(
        None, description="True: URLs that differ only after the question mark are one page. Default: false."
    )
    auto_extract: bool | None = Field(
        None, description="False: only fetch and index, without extracting the project's fields. Default: true."
    )
    prefer_english_only: bool | None = Field(
        None, description="True: the same as allowed_languages [en]; ignored if allowed_languages are given."
    )
    allowed_languages: Annotated[list[LanguageCode], Field(max_length=MAX_LANGUAGES)] | None = Field(
        None, description="Keep only pages in these languages, such as en or de. Default: all."
    )
    smart_crawl_enabled: bool | None = None
    relevance_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    focus_terms: Annotated[list[Word], Field(max_length=MAX_FOCUS_TERMS)] | None = None

    @property
    def options(self) -> CrawlOptions:
        """How to crawl, with defaults in place of nulls."""
        english = ["en"] if self.prefer_english_only else []
        return CrawlOptions(
            source_group=(self.company or "").strip(),
            max_depth=self.max_depth or DEFAULT_DEPTH,
            limit=self.limit or DEFAULT_LIMIT,
            include_paths=tuple(self.include_paths or ()),
            exclude_paths=tuple(self.exclude_paths or ()),
            scope=self.scope,
            path_prefix=self.path_prefix or "",
            allow_backward_links=self.allow_backward_links,
            allow_subdomains=self.allow_subdomains,
            ignore_query_parameters=bool(self.ignore_query_parameters),
            auto_extract=self.auto_extract is not False,
            allowed_languages=tuple(self.allowed_languages or english),
        )

    @property
    def warnings(self) -> list[str]:
        """One sentence for each parameter that was given but has no effect."""
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
    """How far a crawl is. All numbers count its URLs; robots.txt and sitemaps are not among them."""

    job_id: UUID
    status: JobStatus
    url: str
    pages_total: int = Field(
        description="Pages fetched or still to be fetched (at most the limit), and those that failed."
        " Redirects and skipped URLs do not count."
    )
    pages_completed: int = Field(description="Pages that are done. Redirects do not count.")
    sources_created: int = Field(description="Sources that belong to the job: pages that it stored or found unchanged.")
    error: TextOrNull
    created_at: datetime
    completed_at: datetime | None
    smart_crawl_enabled: bool
    urls_discovered: int = Field(description="All URLs found within the scope, whatever became of them.")
    urls_relevant: int = Field(description="URLs discovered, without those that were skipped as irrelevant.")
    project_id: UUID
    company: str


class ScrapeIn(RequestBody):
    """The pages to fetch, exactly as listed; no links are followed."""

    urls: Annotated[list[Url], Field(min_length=1, max_length=MAX_SCRAPED_URLS)]
    project_id: UUID
    company: GroupName | None = Field(None, description="Source group. Default: the host's name of the first URL.")

    @field_validator("urls", mode="before")
    @classmethod
    def _one_is_a_list(cls, urls: object) -> object:
        return [urls] if isinstance(urls, str) else urls

    @property
    def warnings(self) -> list[str]:
        """One sentence for each parameter that was given but has no effect."""
        return self.ineffective()


class ScrapeStarted(Reply):
    """A scrape that was accepted; a URL given twice counts once."""

    job_id: UUID
    status: JobStatus
    url_count: int
    project_id: UUID
    company: str
    warnings: list[str]


class ScrapeOut(Reply):
    """How far a scrape is."""

    job_id: UUID
    status: JobStatus
    company: str
    url_count: int
    urls: list[str]
    created_at: datetime
    completed_at: datetime | None
    error: TextOrNull
    project_id: UUID
