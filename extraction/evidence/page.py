"""One stored page as the extractors see it; each part is parsed once and shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lxml.html
from lxml import etree
from w3lib.encoding import html_to_unicode

from extraction.evidence.nodes import Graph
from extraction.evidence.structured_data import StructuredData, read_structured_data


@dataclass(frozen=True)
class PageInput:
    """A page: `html` is the stored original, `text` the evidence text (Markdown) that text offsets count in.

    content_type: the HTTP header, which names the encoding of `html` when it is bytes.
    """

    url: str
    html: str | bytes
    text: str
    title: str | None = None
    language: str | None = None
    content_type: str | None = None

    @cached_property
    def tree(self) -> Any:
        """The lxml.html document; an empty one when there is no markup."""
        source = self.html
        if isinstance(source, bytes):
            _, source = html_to_unicode(self.content_type, source)
        # Encoded again, because lxml refuses a str that carries its own encoding declaration.
        body = source.replace("\x00", "").encode("utf-8", "replace")
        parser = lxml.html.HTMLParser(encoding="utf-8")
        try:
            return lxml.html.document_fromstring(body, parser=parser)
        except etree.ParserError:
            return lxml.html.document_fromstring(b"<html></html>", parser=parser)

    @cached_property
    def structured(self) -> StructuredData:
        """JSON-LD, microdata and meta tags."""
        return read_structured_data(self.tree)

    @cached_property
    def graph(self) -> Graph:
        """The schema.org nodes of the structured data."""
        return Graph(self.structured)
