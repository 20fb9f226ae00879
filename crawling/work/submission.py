"""Starting crawls and scrapes: every input is checked first and refused with a sentence if it is wrong."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from crawling.errors import BadScope, BadUrl, BlockedAddress
from crawling.web.guard import AddressGuard
from crawling.web.scope import Scope, ScopeMode
from crawling.web.urls import canonical_url
from crawling.work.kind import Crawl, Scrape
from jobs.control.submit import job_submit
from jobs.errors import Invalid
from jobs.postgres.text import storable_text

MAX_SCRAPED_URLS = 10_000
DEFAULT_DEPTH = 10
DEFAULT_LIMIT = 10_000
MAX_PAGES = 1_000_000
MAX_GROUP_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class CrawlOptions:
    """How to crawl; the defaults suit a documentation site. None: not asked for."""

    source_group: str = ""  #: empty: the host's name
    max_depth: int = DEFAULT_DEPTH
    limit: int | None = DEFAULT_LIMIT  #: pages at most; None: no limit
    include_paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    scope: ScopeMode | str | None = None  #: None: host, or subdomains if these are allowed
    path_prefix: str = ""  #: for scope prefix; empty: the folder of the start URL
    allow_backward_links: bool | None = None  #: False: stay below the folder of the start URL
    allow_subdomains: bool | None = None
    ignore_query_parameters: bool = False
    use_sitemaps: bool = True
    auto_extract: bool = True
    allowed_languages: tuple[str, ...] = ()


def crawl_submit(
    *,
    project_id: UUID,
    url: str,
    options: CrawlOptions,
    actor_id: int | None = None,
    actor: str = "",
) -> UUID:
    """Start a crawl; return the job's id. Raises: Invalid (BadScope included), NotFound."""
    seed = url_checked(url)
    if options.limit is not None and not 1 <= options.limit <= MAX_PAGES:
        raise Invalid(f"The limit must be between 1 and {MAX_PAGES:,} pages; leave it out for the default.")
    payload: dict[str, Any] = {
        "url": seed,
        "scope": _scope(seed, options).to_config(),
        "source_group": _group(options.source_group, seed),
        "limit": options.limit,
        "use_sitemaps": options.use_sitemaps,
        "auto_extract": options.auto_extract,
        "allowed_languages": sorted({_language(tag) for tag in options.allowed_languages} - {""}),
    }
    return job_submit(
        kind=Crawl.name,
        project_id=project_id,
        payload=payload,
        label=seed,
        actor_id=actor_id,
        actor=actor,
        page_limit=options.limit,
    )


def scrape_submit(
    *,
    project_id: UUID,
    urls: Sequence[str],
    source_group: str = "",
    auto_extract: bool = False,
    actor_id: int | None = None,
    actor: str = "",
) -> UUID:
    """Start fetching exactly these URLs; return the job's id. Raises: Invalid, NotFound."""
    if not 1 <= len(urls) <= MAX_SCRAPED_URLS:
        raise Invalid(f"Give between 1 and {MAX_SCRAPED_URLS:,} URLs, not {len(urls):,}; split a longer list.")
    wanted = list(dict.fromkeys(url_checked(url) for url in urls))
    payload = {
        "urls": wanted,
        "source_group": _group(source_group, wanted[0]),
        "auto_extract": auto_extract,
    }
    label = wanted[0] if len(wanted) == 1 else f"{wanted[0]} and {len(wanted) - 1} more"
    return job_submit(
        kind=Scrape.name, project_id=project_id, payload=payload, label=label, actor_id=actor_id, actor=actor
    )


def url_checked(url: str) -> str:
    """Return the canonical URL. Raises: Invalid, with a sentence that names the URL."""
    try:
        canonical = canonical_url(url)
    except BadUrl as error:
        detail = f"{error.detail} Give a full address such as https://example.org/docs/."
        raise Invalid(detail, code="bad_url") from error
    _check_literal(str(urlsplit(canonical).hostname))
    return canonical


def _check_literal(host: str) -> None:
    """Refuse an IP address that no fetch may connect to; names are only looked up when fetched. Raises: Invalid."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    try:
        AddressGuard(settings.QUARRY.crawl_allow_networks).check(host)
    except BlockedAddress as error:
        raise Invalid(error.detail, code="blocked_address") from error


def _group(name: str, url: str) -> str:
    """Return the source group, by default the host's name. Raises: Invalid."""
    group = storable_text(name).strip() or str(urlsplit(url).hostname)[:MAX_GROUP_CHARACTERS]
    if len(group) > MAX_GROUP_CHARACTERS:
        raise Invalid(f"The source group has {len(group)} characters; at most {MAX_GROUP_CHARACTERS} are accepted.")
    return group


def _language(tag: str) -> str:
    """Return the language of a tag such as `en-US`, as sources keep it: `en`."""
    return tag.strip().lower().replace("_", "-").partition("-")[0]


def _scope(seed: str, options: CrawlOptions) -> Scope:
    config: dict[str, Any] = {
        "seeds": [seed],
        "mode": _mode(options),
        "path_prefix": options.path_prefix.strip(),
        "include_patterns": list(options.include_paths),
        "exclude_patterns": list(options.exclude_paths),
        "max_depth": options.max_depth,
        "ignore_query_parameters": options.ignore_query_parameters,
        "allow_backward_links": options.allow_backward_links is not False,
    }
    return Scope.from_config(config)


def _mode(options: CrawlOptions) -> str:
    """Return the mode of the scope. Raises: BadScope when two options contradict each other."""
    mode = options.scope or (ScopeMode.SUBDOMAINS if options.allow_subdomains else ScopeMode.HOST)
    if mode in (ScopeMode.HOST, ScopeMode.PREFIX) and options.allow_subdomains:
        raise BadScope(
            f"Scope “{mode}” stays on the host of the start URL, so subdomains cannot be allowed as well; "
            "leave one of the two out, or choose scope “subdomains” or “domain”."
        )
    if mode in (ScopeMode.SUBDOMAINS, ScopeMode.DOMAIN) and options.allow_subdomains is False:
        raise BadScope(
            f"Scope “{mode}” includes subdomains, so they cannot be ruled out as well; "
            "leave one of the two out, or choose scope “host” or “prefix”."
        )
    if mode == ScopeMode.PREFIX and options.allow_backward_links:
        raise BadScope(
            "Scope “prefix” stays in one folder, so links that lead out of it cannot be allowed as well; "
            "leave one of the two out, or choose another scope."
        )
    return str(mode)
