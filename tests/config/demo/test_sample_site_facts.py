"""The sample pages state what the manifest says: products, people, articles, the company, translations."""

import json
import urllib.request

import pytest
from selectolax.lexbor import LexborHTMLParser as Tree

from config.demo.sample_site import ExpectedOutcome, SampleSite

CURRENCY_SIGNS = {"GBP": "£", "EUR": "€"}
AVAILABILITY_WORDS = {
    "InStock": "In stock", "OutOfStock": "Out of stock", "LimitedAvailability": "Only a few left",
}  # fmt: skip


@pytest.fixture(scope="module")
def site():
    with SampleSite(slow_seconds=0) as running:
        yield running


@pytest.fixture(scope="module")
def manifest(site):
    return site.manifest()


@pytest.fixture(scope="module")
def pages(manifest):
    """The body of every page by its path."""
    bodies = {}
    for path in manifest.paths(ExpectedOutcome.OK):
        with urllib.request.urlopen(manifest.url(path), timeout=10) as reply:
            bodies[path] = reply.read()
    return bodies


def json_ld(body):
    blocks = Tree(body).css('script[type="application/ld+json"]')
    return [json.loads(block.text()) for block in blocks]


def nodes(value):
    """Yield every JSON object in a JSON-LD document, outermost first."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def of_type(body, name):
    for node in nodes(json_ld(body)):
        types = node.get("@type", [])
        if name in ([types] if isinstance(types, str) else types):
            yield node


def visible(body):
    tree = Tree(body)
    for hidden in tree.css("script, style, head"):
        hidden.decompose()
    return " ".join(tree.body.text().split())


def stated(product, body):
    """Return (name, sku, price, currency, availability) as the page's own markup states them."""
    tree = Tree(body)
    if product.markup == "json-ld":
        (node,) = of_type(body, "Product")
        offer = node["offers"][0] if isinstance(node["offers"], list) else node["offers"]
        price = offer.get("priceSpecification", offer)
        amount = price.get("price", price.get("lowPrice"))
        return node["name"], node["sku"], amount, price["priceCurrency"], offer["availability"]
    if product.markup == "microdata":
        of = {node.attributes["itemprop"]: node for node in reversed(tree.css("[itemprop]"))}
        price = of["price"].attributes.get("content") or of["price"].text()
        currency, stock = of["priceCurrency"].attributes["content"], of["availability"].attributes["href"]
        return tree.css_first("h1").text(), of["sku"].text(), price, currency, stock
    if product.markup == "opengraph":
        of = {node.attributes["property"]: node.attributes["content"] for node in tree.css("meta[property]")}
        stock = {"in stock": "InStock"}[of["product:availability"]]
        price, currency = of["product:price:amount"], of["product:price:currency"]
        return of["og:title"], of["product:retailer_item_id"], price, currency, stock
    stock = {"In stock": "InStock"}[tree.css_first(".stock").text()]
    sign, price = tree.css_first(".price").text()[0], tree.css_first(".price").text()[1:]
    currency = {value: key for key, value in CURRENCY_SIGNS.items()}[sign]
    return tree.css_first("h1").text(), tree.css_first(".sku").text(), price, currency, stock


def test_products_state_what_the_manifest_expects(pages, manifest):
    for product in manifest.products:
        name, sku, price, currency, availability = stated(product, pages[product.path])
        assert (name, sku, currency) == (product.name, product.sku, product.currency)
        assert float(price) == float(product.price)
        assert availability.rpartition("/")[2] == product.availability


def test_products_show_their_values_as_text_too(pages, manifest):
    for product in manifest.products:
        text = visible(pages[product.path])
        prices = [product.price] + ([product.highest_price] if product.highest_price else [])
        wanted = [f"{CURRENCY_SIGNS[product.currency]}{price:,.2f}" for price in prices]
        wanted += [product.name, product.sku, AVAILABILITY_WORDS[product.availability]]
        wanted += [f"{product.rating}", f"by {product.review_count} customers"] if product.rating else []
        assert [words for words in wanted if words not in text] == [], product.path


def test_each_markup_is_used_alone(pages, manifest):
    marks = {"json-ld": b"application/ld+json", "microdata": b"itemscope", "opengraph": b"og:type"}
    for product in manifest.products:
        found = {name for name, mark in marks.items() if mark in pages[product.path]}
        assert found == ({product.markup} if product.markup != "text" else set())
    assert {product.markup for product in manifest.products} == {*marks, "text"}
    assert {product.currency for product in manifest.products} == {"GBP", "EUR"}


def test_article_numbers_have_valid_check_digits(pages, manifest):
    numbers = {product.path: product.gtin13 for product in manifest.products if product.gtin13}
    assert len(numbers) == 5 and len(set(numbers.values())) == 5
    for path, number in numbers.items():
        assert number.encode() in pages[path]
        digits = [int(digit) for digit in number]
        assert sum(digits[0::2]) + 3 * sum(digits[1::2]) in range(0, 400, 10)


def test_people_articles_and_company_match_their_markup(pages, manifest):
    people = [(node["name"], node["jobTitle"], node["email"]) for node in of_type(pages["/team"], "Person")]
    assert people == [(person.name, person.job_title, person.email) for person in manifest.people]
    assert all(person.job_title in visible(pages["/team"]) for person in manifest.people)
    for article in manifest.articles:
        body = pages[article.path]
        (node,) = [*of_type(body, "BlogPosting"), *of_type(body, "Article")]
        assert (node["headline"], node["author"]["name"]) == (article.headline, article.author)
        assert (node["datePublished"], node["inLanguage"]) == (
            article.published.isoformat(),
            article.language,
        )
        assert article.headline in visible(body) and article.author in visible(body)
    expected = manifest.organization
    (node,) = of_type(pages[expected.path], "Organization")
    address = node["address"]
    assert (node["name"], node["telephone"], node["email"]) == (
        expected.name,
        expected.telephone,
        expected.email,
    )
    assert (address["streetAddress"], address["addressLocality"]) == (expected.street, expected.locality)
    assert (address["postalCode"], address["addressCountry"]) == (expected.postal_code, expected.country)


def test_structured_data_parses_and_points_to_this_site(pages, site):
    with_blocks = {path for path, body in pages.items() if json_ld(body)}
    assert len(with_blocks) >= 12
    for path in with_blocks:
        for node in nodes(json_ld(pages[path])):
            for key in ("@id", "url", "item", "image", "logo", "mainEntityOfPage"):
                assert node.get(key, site.url + "/").startswith(site.url + "/"), (path, key)


def test_translations_name_each_other(pages, site):
    pairs = {}
    for path, body in pages.items():
        links = Tree(body).css('link[rel="alternate"]')
        if links:
            pairs[path] = {(link.attributes["hreflang"], link.attributes["href"]) for link in links}
    assert len(pairs) == 4
    for path, alternates in pairs.items():
        assert len(alternates) == 2
        for language, url in alternates:
            other = url.removeprefix(site.url)
            assert pairs[other] == alternates, path
            assert other.startswith("/de/") == (language == "de")
