"""What a complete crawl of the sample site must find: written by hand, never derived from the pages."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

REDIRECT_PATH = "/shop/aq-20"
REDIRECT_TARGET = "/products/aq-20"
DUPLICATE_PATH = "/support/first-measurement"
DUPLICATED_PATH = "/docs/first-measurement"
GONE_PATH = "/downloads/fieldlink-1.9-windows"
ROBOTS_PATH = "/internal/stocktake"
DRAWING_PATH = "/assets/aq-20-drawing.svg"
SLOW_PATH = "/service/status"
LARGE_PATH = "/data/calibration-log"
SITEMAP_ONLY_PATH = "/press/river-trust-award"


class ExpectedOutcome(StrEnum):
    """What a polite crawler meets at a URL."""

    OK = "ok"  #: an HTML page
    REDIRECT = "redirect"  #: 301 to `target`
    GONE = "gone"  #: 404
    ROBOTS = "robots"  #: closed by robots.txt; must never be requested
    DUPLICATE = "duplicate"  #: the same bytes as `target`
    CONTENT_TYPE = "content_type"  #: answers, but is not a page


@dataclass(frozen=True, slots=True)
class ExpectedPage:
    """One URL path that a crawl from `/` meets, by a link or through the sitemap, and what happens there."""

    path: str
    outcome: ExpectedOutcome = ExpectedOutcome.OK
    language: str = "en"
    target: str | None = None  #: path a redirect leads to, or path whose bytes a duplicate repeats
    is_linked: bool = True  #: False: only the sitemap names it
    is_slow: bool = False
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedProduct:
    """The values a product page states; `price` is the lowest where there are several.

    availability: the last segment of the schema.org term. markup: `json-ld`, `microdata`, `opengraph`, or
    `text` for a page without any. Name, number, prices and ratings also stand in the visible text.
    """

    path: str
    name: str
    sku: str
    price: Decimal
    currency: str
    availability: str
    markup: str
    brand: str = "Fernhill"
    highest_price: Decimal | None = None
    gtin13: str | None = None
    rating: Decimal | None = None
    review_count: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectedPerson:
    """A person described on the team page."""

    name: str
    job_title: str
    email: str


@dataclass(frozen=True, slots=True)
class ExpectedArticle:
    """A blog article and the facts in its JSON-LD."""

    path: str
    headline: str
    author: str
    published: date
    language: str


@dataclass(frozen=True, slots=True)
class ExpectedOrganization:
    """The company as the contact page states it."""

    path: str
    name: str
    telephone: str
    email: str
    street: str
    locality: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The truth about one running sample site.

    Stylesheet and logo are not in it, because no `<a>` leads there; neither are robots.txt and sitemap.xml.
    """

    base: str
    pages: tuple[ExpectedPage, ...]
    products: tuple[ExpectedProduct, ...]
    people: tuple[ExpectedPerson, ...]
    articles: tuple[ExpectedArticle, ...]
    organization: ExpectedOrganization

    def url(self, path: str) -> str:
        """Return the absolute URL of `path` on this site."""
        return self.base + path

    def paths(self, outcome: ExpectedOutcome) -> set[str]:
        """Return the paths at which `outcome` happens."""
        return {page.path for page in self.pages if page.outcome is outcome}

    def page(self, path: str) -> ExpectedPage:
        """Return what is expected at `path`.

        Raises: KeyError, when the site does not mention this path.
        """
        for page in self.pages:
            if page.path == path:
                return page
        raise KeyError(path)
