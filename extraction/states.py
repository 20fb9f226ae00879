"""The words of extraction that are stored, sent or compared; each stands here once."""

from enum import StrEnum


class EvidenceKind(StrEnum):
    """Where the proof of a value stands, if anywhere; see `extraction.evidence.verify.Evidence`."""

    TEXT = "text"
    MARKUP = "markup"
    UNGROUNDED = "ungrounded"


class Match(StrEnum):
    """How a quote was found in a text."""

    EXACT = "exact"
    NORMALISED = "normalised"
    FUZZY = "fuzzy"


class Syntax(StrEnum):
    """How structured data is written into a page."""

    JSON_LD = "json-ld"
    MICRODATA = "microdata"
    META = "meta"


class SelectorLanguage(StrEnum):
    """What a selector of a schema is written in."""

    CSS = "css"
    XPATH = "xpath"


class Method(StrEnum):
    """The extractors, by the name that their evidence carries."""

    SCHEMA_ORG = "schema_org"
    SELECTORS = "selectors"
    PRODUCT_MARKUP = "product_markup"


class ProductRole(StrEnum):
    """The properties of a product that the extractor for product pages reads."""

    NAME = "name"
    PRICE = "price"
    AVAILABILITY = "availability"
    SKU = "sku"
    GTIN = "gtin"
    MPN = "mpn"
    BRAND = "brand"


class Availability(StrEnum):
    """The members of schema.org's ItemAvailability that shops' phrases stand for."""

    OUT_OF_STOCK = "OutOfStock"
    PRE_ORDER = "PreOrder"
    BACK_ORDER = "BackOrder"
    DISCONTINUED = "Discontinued"
    IN_STORE_ONLY = "InStoreOnly"
    IN_STOCK = "InStock"


class NoteKind(StrEnum):
    """What a stored note of an extraction is about: another value was found, or something was dropped or missed."""

    CONFLICT = "conflict"
    NOTE = "note"


class ItemOutcome(StrEnum):
    """How a source that was extracted from is done."""

    EXTRACTED = "extracted"
    EMPTY = "empty"


class EmbedderName(StrEnum):
    """The embedders that `EMBEDDER` may name."""

    WORDLLAMA = "wordllama"
    OPENAI = "openai"
    FASTEMBED = "fastembed"


class PointKind(StrEnum):
    """Which rows have points in the vector store."""

    PASSAGE = "passage"
    EXTRACTION = "extraction"


class VectorOperation(StrEnum):
    """What a waiting change does to its point; each is a lane of the drain."""

    UPSERT = "upsert"
    DELETE = "delete"


class AuditSide(StrEnum):
    """What an audit goes through, in this order."""

    PASSAGES = "passages"
    EXTRACTIONS = "extractions"
    POINTS = "points"
    DONE = ""
