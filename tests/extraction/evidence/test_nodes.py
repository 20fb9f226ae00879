"""The nodes of a page's structured data: how many there are at most, and how far a path may lead."""

import json
from typing import Any

import pytest

from extraction.evidence import nodes
from extraction.evidence.nodes import Graph
from extraction.evidence.page import PageInput


def graph_of(data: Any) -> Graph:
    html = f'<script type="application/ld+json">{json.dumps(data)}</script>'
    return PageInput("https://a.example/", html, "").graph


@pytest.mark.parametrize("is_nested", [True, False])
def test_no_more_nodes_are_kept_than_the_limit(is_nested):
    things = [{"@type": "Product", "name": f"n{number}"} for number in range(nodes.MAX_NODES + 10)]
    graph = graph_of({"@type": "ItemList", "itemListElement": things} if is_nested else things)
    assert len(graph.nodes) == nodes.MAX_NODES


def test_a_path_passes_no_more_nodes_than_the_limit():
    def found(length: int) -> list[str]:
        thing: Any = {"@type": "Thing", "part": "the end"}
        for _ in range(length - 1):
            thing = {"@type": "Thing", "part": thing}
        return [leaf.raw for leaf in graph_of(thing).nodes[0].leaves(("part",) * length)]

    assert (found(nodes.MAX_HOPS), found(nodes.MAX_HOPS + 1)) == (["the end"], [])


def test_references_in_a_circle_come_to_an_end():
    circle = [{"@type": "Offer", "@id": f"#{n}", "offers": {"@id": f"#{1 - n}"}} for n in range(2)]
    assert graph_of(circle).nodes[0].leaves(("price",)) == []
