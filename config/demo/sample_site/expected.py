"""The values behind the manifest: pages, products, people, articles and the company."""

from datetime import date
from decimal import Decimal

from config.demo.sample_site.manifest import (
    DRAWING_PATH,
    DUPLICATE_PATH,
    DUPLICATED_PATH,
    GONE_PATH,
    LARGE_PATH,
    REDIRECT_PATH,
    REDIRECT_TARGET,
    ROBOTS_PATH,
    SITEMAP_ONLY_PATH,
    SLOW_PATH,
    ExpectedArticle,
    ExpectedOrganization,
    ExpectedOutcome,
    ExpectedPage,
    ExpectedPerson,
    ExpectedProduct,
    Manifest,
)

PRODUCTS = (
    ExpectedProduct(
        path="/products/aq-20", name="AQ-20 Pocket pH Meter", sku="FH-AQ20", gtin13="2008700140215",
        price=Decimal("149.00"), currency="GBP", availability="InStock", markup="json-ld",
        rating=Decimal("4.7"), review_count=213,
    ),
    ExpectedProduct(
        path="/products/aq-45", name="AQ-45 Multiparameter Sonde", sku="FH-AQ45", gtin13="2008700240212",
        price=Decimal("1290.00"), highest_price=Decimal("1685.00"), currency="GBP", availability="InStock",
        markup="json-ld", rating=Decimal("4.5"), review_count=38,
    ),
    ExpectedProduct(
        path="/products/fm-12", name="FM-12 Stream Flow Meter", sku="FH-FM12", gtin13="2008700540213",
        price=Decimal("735.00"), currency="GBP", availability="OutOfStock", markup="json-ld",
    ),
    ExpectedProduct(
        path="/products/tl-3", name="TL-3 Temperature Logger", sku="FH-TL3", gtin13="2008700440216",
        price=Decimal("42.00"), currency="GBP", availability="InStock", markup="microdata",
        rating=Decimal("4.3"), review_count=96,
    ),
    ExpectedProduct(
        path="/products/sm-8", name="SM-8 Soil Moisture Probe", sku="FH-SM8",
        price=Decimal("86.50"), currency="GBP", availability="InStock", markup="microdata",
    ),
    ExpectedProduct(
        path="/products/bg-5", name="BG-5 Barometric Gauge", sku="FH-BG5",
        price=Decimal("118.00"), currency="GBP", availability="InStock", markup="opengraph",
    ),
    ExpectedProduct(
        path="/products/wk-1", name="WK-1 Balcony Weather Kit", sku="FH-WK1", gtin13="2008700740217",
        price=Decimal("412.00"), currency="EUR", availability="LimitedAvailability", markup="json-ld",
        rating=Decimal("4.9"), review_count=17,
    ),
    ExpectedProduct(
        path="/products/cs-2", name="CS-2 Buffer Solution Set", sku="FH-CS2",
        price=Decimal("24.80"), currency="GBP", availability="InStock", markup="text",
    ),
)  # fmt: skip

PEOPLE = (
    ExpectedPerson("Eleanor Ashdown", "Managing Director", "eleanor@fernhill-instruments.example"),
    ExpectedPerson("Priya Nair", "Head of Electrochemistry", "priya@fernhill-instruments.example"),
    ExpectedPerson("Tomasz Wilk", "Field Engineer", "tomasz@fernhill-instruments.example"),
    ExpectedPerson("Gareth Pugh", "Workshop Manager", "gareth@fernhill-instruments.example"),
    ExpectedPerson("Jonas Lindner", "Head of the Berlin Workshop", "jonas@fernhill-instruments.example"),
    ExpectedPerson("Amara Bello", "Software Developer", "amara@fernhill-instruments.example"),
)

ARTICLES = (
    ExpectedArticle(
        path="/blog/choosing-a-ph-electrode", headline="Choosing a pH electrode",
        author="Priya Nair", published=date(2024, 3, 12), language="en",
    ),
    ExpectedArticle(
        path="/blog/winter-on-the-weir", headline="A winter on the weir",
        author="Tomasz Wilk", published=date(2024, 11, 28), language="en",
    ),
    ExpectedArticle(
        path="/blog/why-we-publish-our-calibration-log", headline="Why we publish our calibration log",
        author="Eleanor Ashdown", published=date(2025, 2, 6), language="en",
    ),
    ExpectedArticle(
        path="/de/blog/ph-elektrode-auswaehlen", headline="Die richtige pH-Elektrode auswählen",
        author="Priya Nair", published=date(2024, 3, 20), language="de",
    ),
    ExpectedArticle(
        path="/de/blog/werkstatt-berlin", headline="Eine Werkstatt in Berlin",
        author="Jonas Lindner", published=date(2024, 6, 18), language="de",
    ),
    ExpectedArticle(
        path="/de/blog/winter-am-wehr", headline="Ein Winter am Wehr",
        author="Tomasz Wilk", published=date(2024, 12, 5), language="de",
    ),
)  # fmt: skip

ORGANIZATION = ExpectedOrganization(
    path="/contact",
    name="Fernhill Instruments Ltd",
    telephone="+44 1632 960210",
    email="hello@fernhill-instruments.example",
    street="The Old Carding Mill, 14 Beck Lane",
    locality="Aldersyke",
    postal_code="AY4 7FH",
    country="GB",
)

ENGLISH_PATHS = (
    "/", "/about", "/products/", "/pricing", "/team", "/contact", "/blog/",
    "/docs/", "/docs/installation", DUPLICATED_PATH, "/docs/calibration", "/docs/data-format",
    "/docs/troubleshooting",
)  # fmt: skip

PAGES = (
    *(ExpectedPage(path) for path in ENGLISH_PATHS),
    *(ExpectedPage(product.path) for product in PRODUCTS),
    *(ExpectedPage(article.path, language=article.language) for article in ARTICLES),
    ExpectedPage("/de/blog/", language="de"),
    ExpectedPage(SLOW_PATH, is_slow=True),
    ExpectedPage(LARGE_PATH, is_large=True),
    ExpectedPage(SITEMAP_ONLY_PATH, is_linked=False),
    ExpectedPage(REDIRECT_PATH, ExpectedOutcome.REDIRECT, target=REDIRECT_TARGET),
    ExpectedPage(DUPLICATE_PATH, ExpectedOutcome.DUPLICATE, target=DUPLICATED_PATH),
    ExpectedPage(GONE_PATH, ExpectedOutcome.GONE),
    ExpectedPage(ROBOTS_PATH, ExpectedOutcome.ROBOTS),
    ExpectedPage(DRAWING_PATH, ExpectedOutcome.CONTENT_TYPE),
)


def manifest(base: str) -> Manifest:
    """Return the truth about a site served at `base` (scheme, host and port, no final slash)."""
    return Manifest(base, PAGES, PRODUCTS, PEOPLE, ARTICLES, ORGANIZATION)
