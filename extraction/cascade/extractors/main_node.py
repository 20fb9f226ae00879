"""Which of a page's nodes the page is about: a shop page's main product, not the related ones beside it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from extraction.evidence.nodes import Graph, Node

#: Properties whose value is about something else than the page.
# fmt: off
_ASIDE = frozenset({
    "affiliation", "brand", "comment", "funder", "hasvariant", "hostingorganization",
    "isaccessoryorsparepartfor", "isconsumablefor", "isrelatedto", "issimilarto", "isvariantof",
    "item", "itemlistelement", "itemreviewed", "manufacturer", "memberof", "mentions", "offeredby",
    "parentorganization", "recommendations", "related", "review", "reviews", "seller", "sponsor",
    "suborganization", "worksfor"
})
# fmt: on
_IDENTIFIERS = frozenset({"sku", "mpn", "gtin", "gtin8", "gtin12", "gtin13", "gtin14", "productID", "url"})
_WORD = re.compile(r"\w+")


def main_nodes(graph: Graph, kind: str, *, url: str, title: str | None) -> list[Node]:
    """Return the page's main node of a type, best first, at most one per syntax; none if they cannot be told apart.

    Of several top-level nodes one is the main one when it is the page's mainEntity, has the page's address,
    shares its name with the page's title, or is the only one with offers. A listing of equals has none.
    """
    about = _page_words(graph, title)
    chosen = []
    candidates = [node for node in graph.of_kind(kind) if not _is_aside(node, kind)]
    for syntax in dict.fromkeys(node.syntax for node in candidates):
        node = _main_of([node for node in candidates if node.syntax == syntax], url, about)
        if node is not None:
            chosen.append(node)
    return chosen


def is_told_apart(node: Node, names: tuple[str, ...]) -> bool:
    """Return whether a property tells the node from the variants of the same name beside it.

    Such a value belongs to one variant, and nothing says that it is the one the page shows.
    """
    if names[-1] not in _IDENTIFIERS or node.parent is not None:
        return False
    name, own = node.first("name"), node.first(*names)
    twins = (other for other in node.graph.nodes if other.parent is None and other.types == node.types)
    return any(
        other.syntax == node.syntax and other.first("name") == name and other.first(*names) != own for other in twins
    )


def _main_of(nodes: list[Node], url: str, about: set[str]) -> Node | None:
    if len(nodes) == 1:
        return nodes[0]
    ranked = sorted(nodes, key=lambda node: -_score(node, url, about))
    best, second = ranked[0], ranked[1]
    if _score(best, url, about) > _score(second, url, about):
        return best
    return best if _are_one(best, second) or _depth(best) == 0 < _depth(second) else None


def _score(node: Node, url: str, about: set[str]) -> float:
    score = 0.0
    if node.via.lower() in ("mainentity", "about"):
        score += 4
    addresses = [
        node.first("url"),
        node.first("mainEntityOfPage"),
        node.identity,
        node.first("offers", "url"),
    ]
    if any(same_page(address, url) for address in addresses if address):
        score += 4
    words = set(_WORD.findall((node.first("name") or node.first("headline") or "").lower()))
    if words and about:
        score += 6 * len(words & about) / (len(words) + len(about))
    if node.children("offers"):
        score += 1
    return score - 0.5 * min(_depth(node), 4)


def _is_aside(node: Node, kind: str) -> bool:
    """Return whether the node is nested in a property that leads away from the page's subject."""
    while node.parent is not None:
        if node.via.lower() in _ASIDE:
            return True
        if node.parent.is_a(kind) and node.via.lower() not in ("mainentity", "about"):
            return True
        node = node.parent
    return False


def _are_one(one: Node, other: Node) -> bool:
    """Return whether two nodes describe the same thing."""
    for names in (("sku",), ("name",), ("headline",), ("url",)):
        ours, theirs = one.first(*names), other.first(*names)
        if ours and ours == theirs:
            return True
    return False


def _depth(node: Node) -> int:
    depth = 0
    while node.parent is not None:
        depth, node = depth + 1, node.parent
    return depth


def _page_words(graph: Graph, title: str | None) -> set[str]:
    titles = [title or "", *graph.meta.get("og:title", [])]
    return set(_WORD.findall(" ".join(titles).lower()))


def same_page(address: str, url: str) -> bool:
    """Return whether two addresses name the same page, scheme, `www.`, query and fragment aside."""
    try:
        ours, theirs = urlsplit(address), urlsplit(url)
    except ValueError:
        return False
    if not ours.path.strip("/") or ours.path.rstrip("/") != theirs.path.rstrip("/"):
        return False
    return not ours.netloc or ours.netloc.removeprefix("www.") == theirs.netloc.removeprefix("www.")


__all__ = ["main_nodes", "same_page"]
