"""The documentation sites that benches crawl: Debian packages of HTML pages, served on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.benches.static_site import serve_folder
from jobs.errors import QuarryError


class DocumentationMissing(QuarryError):
    """The documentation is not installed"""

    code = "documentation_missing"


@dataclass(frozen=True, slots=True)
class Documentation:
    """One site: the Debian package that installs it, and the folder where its pages lie."""

    package: str
    folder: Path


POSTGRESQL = Documentation("postgresql-doc-15", Path("/usr/share/doc/postgresql-doc-15/html"))
PYTHON = Documentation("python3.11-doc", Path("/usr/share/doc/python3.11/html"))


def require(*sites: Documentation) -> None:
    """Raises: DocumentationMissing, naming what to install, unless all of the sites are there."""
    for site in sites:
        if not (site.folder / "index.html").is_file():
            raise DocumentationMissing(
                f"{site.folder} holds no documentation; install Debian's package {site.package}"
                f" (apt install {site.package}) and start again. Container images leave /usr/share/doc out:"
                " there add -o Dpkg::Options::=--path-include='/usr/share/doc/*' --reinstall.",
                package=site.package,
            )


@contextmanager
def served(site: Documentation) -> Iterator[str]:
    """Serve the site from a process of its own while the block runs; the value is its URL with a final slash."""
    require(site)
    with serve_folder(site.folder, in_child=True) as url:
        yield url
