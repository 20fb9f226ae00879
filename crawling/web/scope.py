"""Which URLs belong to a crawl: by host, folder, patterns and depth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from crawling.errors import BadScope, BadUrl
from crawling.web.domains import registrable_domain
from crawling.web.patterns import PathPattern, patterns_compiled
from crawling.web.urls import canonical_url, host_of

MAX_DEPTH = 100


class Admission(StrEnum):
    """Whether a URL belongs to the crawl, else the first rule that keeps it out."""

    IN = "in"
    OTHER_HOST = "other_host"
    OUTSIDE_PREFIX = "outside_prefix"
    EXCLUDED = "excluded"
    NOT_INCLUDED = "not_included"
    TOO_DEEP = "too_deep"
    BAD_URL = "bad_url"


class ScopeMode(StrEnum):
    """How far from the hosts of its seeds a crawl may go."""

    HOST = "host"  #: the same host and port; http and https, with and without `www.`, count as one
    SUBDOMAINS = "subdomains"  #: that host and all its subdomains
    DOMAIN = "domain"  #: every host of the same registrable domain (see `crawling.web.domains`)
    PREFIX = "prefix"  #: the same host, and a path below `path_prefix`


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules of one crawl. All URLs are canonical; build it with `from_config` to have everything checked.

    seeds: where the crawl starts; always in scope. path_prefix: for mode prefix; empty means the seeds' own
    folders. include_patterns, exclude_patterns: see `crawling.web.patterns`; exclude wins, no include pattern
    means all. max_depth: links from a seed, which itself has depth 0. allow_backward_links: False keeps to
    the seed's folder on the seed's own host (`/guide/` for `/guide/start.html` and for `/guide`).
    """

    seeds: tuple[str, ...]
    mode: ScopeMode = ScopeMode.HOST
    path_prefix: str = ""
    include_patterns: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    max_depth: int = 10
    ignore_query_parameters: bool = False
    allow_backward_links: bool = True
    _hosts: frozenset[str] = field(init=False, repr=False, compare=False)
    _folders: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)
    _include: tuple[PathPattern, ...] = field(init=False, repr=False, compare=False)
    _exclude: tuple[PathPattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        derived: dict[str, object] = {
            "_hosts": frozenset(self._site(host_of(seed)) for seed in self.seeds),
            "_folders": frozenset((_bare(host_of(seed)), self._folder(seed)) for seed in self.seeds),
            "_include": patterns_compiled(self.include_patterns, name="include_patterns"),
            "_exclude": patterns_compiled(self.exclude_patterns, name="exclude_patterns"),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Scope":
        """Return the scope that `config` (the JSON form, as made by `to_config`) describes.

        Raises: BadScope, with the sentence to show.
        """
        unknown = sorted(set(config) - _CHECKS.keys())
        if unknown:
            raise BadScope(f"Unknown scope settings: {', '.join(unknown)}. Known: {', '.join(sorted(_CHECKS))}.")
        values = {name: _CHECKS[name](name, value) for name, value in config.items() if value is not None}
        if not values.get("seeds"):
            raise BadScope("A crawl needs at least one seed; give the address of the page to start from.")
        ignore_query = values.get("ignore_query_parameters", False)
        try:
            values["seeds"] = tuple(
                dict.fromkeys(canonical_url(seed, ignore_query=ignore_query) for seed in values["seeds"])
            )
        except BadUrl as error:
            raise BadScope(error.detail) from error
        if values.get("path_prefix") and values.get("mode") != ScopeMode.PREFIX:
            raise BadScope("path_prefix only applies to scope “prefix”; choose that scope or leave path_prefix out.")
        return cls(**values)

    def to_config(self) -> dict[str, Any]:
        """Return the JSON form that `from_config` reads back to an equal scope."""
        values = {name: getattr(self, name) for name in _CHECKS}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def canonical(self, url: str, *, base: str | None = None) -> str:
        """Return `url` in the spelling that this crawl stores. Raises: BadUrl."""
        return canonical_url(url, base=base, ignore_query=self.ignore_query_parameters)

    def admit(self, url: str, depth: int) -> Admission:
        """Return whether `url`, found `depth` links from a seed, belongs to the crawl.

        Give redirect targets the depth of what redirected, so a redirected seed (0) need not match the
        include patterns, and URLs from sitemaps depth 1, so that they do. Never raises.
        """
        try:
            url = self.canonical(url)
            host = host_of(url)
        except BadUrl:
            return Admission.BAD_URL
        if url in self.seeds:
            return Admission.IN
        if not self._has_host(host):
            return Admission.OTHER_HOST
        target = url.split("/", 3)[3]
        return self._admit_path(_bare(host), f"/{target}", depth)

    def _admit_path(self, host: str, target: str, depth: int) -> Admission:
        if self._is_outside(host, target.partition("?")[0]):
            return Admission.OUTSIDE_PREFIX
        if any(pattern.matches(target) for pattern in self._exclude):
            return Admission.EXCLUDED
        if depth > 0 and self._include and not any(pattern.matches(target) for pattern in self._include):
            return Admission.NOT_INCLUDED
        return Admission.TOO_DEEP if depth > self.max_depth else Admission.IN

    def _site(self, host: str) -> str:
        return registrable_domain(_name(host)) if self.mode is ScopeMode.DOMAIN else _bare(host)

    def _has_host(self, host: str) -> bool:
        if self.mode is ScopeMode.SUBDOMAINS:
            name = _name(host)
            return any(name == _name(site) or name.endswith(f".{_name(site)}") for site in self._hosts)
        return self._site(host) in self._hosts

    def _folder(self, seed: str) -> str:
        if self.mode is ScopeMode.PREFIX and self.path_prefix:
            return self.path_prefix
        path = urlsplit(seed).path
        folder, _, last = path.rpartition("/")
        return f"{folder}/" if "." in last or not last else path

    def _is_outside(self, host: str, path: str) -> bool:
        if self.mode is not ScopeMode.PREFIX and self.allow_backward_links:
            return False
        folders = [folder for site, folder in self._folders if site == host]
        return bool(folders) and not any(_is_below(path, folder) for folder in folders)


def _bare(host: str) -> str:
    return host.removeprefix("www.")


def _name(host: str) -> str:
    """Return `host` without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _is_below(path: str, folder: str) -> bool:
    return path == folder.removesuffix("/") or path.startswith(folder if folder.endswith("/") else f"{folder}/")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise BadScope(f"{name} must be a list of strings.")
    if not all(isinstance(text, str) for text in value):
        raise BadScope(f"{name} must be a list of strings; it contains something else.")
    return tuple(value)


def _mode(_: str, value: Any) -> ScopeMode:
    if value not in list(ScopeMode):
        raise BadScope(f"The scope must be one of {', '.join(ScopeMode)}, not “{str(value)[:80]}”.")
    return ScopeMode(value)


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str) or (value and not value.startswith("/")):
        raise BadScope(f"{name} must be a path that starts with “/”, such as /docs/.")
    try:
        return urlsplit(canonical_url(f"http://host{value}")).path if value else ""
    except BadUrl as error:
        raise BadScope(f"{name} is not a usable path: {error.detail}") from error


def _depth(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_DEPTH:
        raise BadScope(f"{name} must be a whole number from 0 to {MAX_DEPTH}.")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadScope(f"{name} must be true or false.")
    return value


_CHECKS: dict[str, Any] = {
    "seeds": _texts,
    "mode": _mode,
    "path_prefix": _path,
    "include_patterns": _texts,
    "exclude_patterns": _texts,
    "max_depth": _depth,
    "ignore_query_parameters": _flag,
    "allow_backward_links": _flag,
}
