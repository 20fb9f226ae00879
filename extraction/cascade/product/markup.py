"""Values of a product page read from its ordinary markup: classes, labels and buttons that shops share.

The last of the free extractors and the least certain: it is used only on pages that plainly offer one product,
and only for fields whose `schema_org` paths name a property of Product. Rules are general, none is for one shop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from extraction.cascade.extractors.base import Finding, Found
from extraction.cascade.product.labels import labelled_values
from extraction.cascade.product.page import MAX_BUY_CONTROLS, ProductPage
from extraction.cascade.product.places import (
    buy_places,
    heading_places,
    phrase_places,
    price_places,
    stock_places,
)
from extraction.cascade.product.words import PRODUCT_PATHS
from extraction.errors import BadValue, NotApplicable
from extraction.evidence.page import PageInput
from extraction.evidence.verify import markup_evidence, read_address
from extraction.schema.model import FieldGroup, FieldSpec
from extraction.states import Method, ProductRole
from extraction.values.parse import parse_value

CONFIDENCE = {
    ProductRole.PRICE: 0.6,
    ProductRole.AVAILABILITY: 0.6,
    ProductRole.NAME: 0.6,
    ProductRole.SKU: 0.55,
    ProductRole.GTIN: 0.6,
    ProductRole.MPN: 0.5,
    ProductRole.BRAND: 0.55,
}
MAX_CANDIDATES = 12


class ProductMarkup:
    """Reads name, price, availability, sku, gtin, mpn and brand where no structured data states them."""

    name: str = Method.PRODUCT_MARKUP

    def extract(self, page: PageInput, group: FieldGroup, missing: frozenset[str]) -> Sequence[Finding]:
        """Return at most one finding per field."""
        wanted = [(role, field) for field in group.fields if field.name in missing and (role := _role(field))]
        if not wanted or group.is_entity_list:
            raise NotApplicable("The group asks for nothing that product pages show.")
        view = ProductPage(page)
        if not _offers_one_product(view):
            raise NotApplicable("The page does not plainly offer one product.")
        findings = [found for role, field in wanted if (found := _first(view, role, field)) is not None]
        if not findings:
            raise NotApplicable("The page's markup shows none of the fields in a known way.")
        return findings


def _offers_one_product(view: ProductPage) -> bool:
    """Return whether structured data, a few buy buttons, or a price with an article number say so."""
    if view.is_declared_product is not None:
        return view.is_declared_product
    if view.heading is None:
        return False
    if 0 < len(view.buy_controls) <= MAX_BUY_CONTROLS:
        return True
    return any(price_places(view)) and any(labelled_values(view, ProductRole.SKU))


def _role(field: FieldSpec) -> ProductRole | None:
    return next((role for role, path in PRODUCT_PATHS.items() if path in field.schema_org), None)


def _first(view: ProductPage, role: ProductRole, field: FieldSpec) -> Found | None:
    """Return the best candidate whose address reads back as a value of the field."""
    for number, address in enumerate(_CANDIDATES[role](view)):
        if number == MAX_CANDIDATES:
            break
        quote = read_address(view.page, address)
        if not quote:
            continue
        try:
            value = parse_value(quote, field, url=view.page.url)
        except BadValue:
            continue
        confidence = CONFIDENCE[role]
        evidence = markup_evidence(view.page, quote, address, method=ProductMarkup.name, confidence=confidence)
        return Found(field.name, value, evidence)
    return None


def _availability(view: ProductPage) -> Iterator[str]:
    yield from stock_places(view)
    yield from buy_places(view)
    yield from phrase_places(view)


_CANDIDATES: dict[ProductRole, Callable[[ProductPage], Iterator[str]]] = {
    ProductRole.NAME: heading_places,
    ProductRole.PRICE: price_places,
    ProductRole.AVAILABILITY: _availability,
    ProductRole.SKU: lambda view: labelled_values(view, ProductRole.SKU),
    ProductRole.GTIN: lambda view: labelled_values(view, ProductRole.GTIN),
    ProductRole.MPN: lambda view: labelled_values(view, ProductRole.MPN),
    ProductRole.BRAND: lambda view: labelled_values(view, ProductRole.BRAND),
}
