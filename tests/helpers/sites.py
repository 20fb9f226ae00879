"""Sites for whole-process tests: each page with words of its own, each reply after a small delay or never."""

import itertools
from collections.abc import Callable

from tests.helpers.web_server import Reply, Request

HELD_SECONDS = 3600.0  #: beyond the patience of any test and any time limit of a request
WORDS = ("granite", "marble", "basalt", "gneiss", "slate", "gabbro", "dolerite", "travertine")


def page_text(number: int) -> str:
    """Return the words that only this page has."""
    return f"Stone {number} is {WORDS[number % len(WORDS)]} from pit number {number * 7919}"


def page(number: int, links: list[str]) -> str:
    """Return a page of HTML."""
    anchors = " ".join(f'<a href="{link}">{link}</a>' for link in links)
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>Stone {number}</title></head><body><main><h1>Stone {number}</h1>'
        f"<p>{page_text(number)}.</p><p>It was cut in the year {1500 + number}.</p></main><nav>{anchors}</nav>"
        "</body></html>"
    )


def quarry_site(pages: int, *, delay_seconds: float, answers: int | None = None) -> Callable[[Request], Reply]:
    """Return the routes of a site of `pages` pages, `/` being page 0; each links to the next ones and back.

    answers: so many requests for pages are answered and no others, so that a crawl comes so far and no further.
    """
    answered = itertools.count()

    def answer(request: Request) -> Reply:
        name = request.path.strip("/")
        number = 0 if not name else int(name.removeprefix("stone-")) if name.startswith("stone-") else -1
        if not 0 <= number < pages:
            return Reply("<h1>Not found</h1>", status=404)
        links = [f"/stone-{other}" for other in range(number * 8 + 1, min(number * 8 + 9, pages))]
        is_held = answers is not None and next(answered) >= answers
        return Reply(page(number, ["/", *links]), delay_seconds=HELD_SECONDS if is_held else delay_seconds)

    return answer


def half_held_site(answered: int, held: int) -> Callable[[Request], Reply]:
    """Return the routes of a site whose start page links to `answered` pages, then to `held` that are not answered."""

    def answer(request: Request) -> Reply:
        name = request.path.strip("/")
        if not name:
            links = [f"/stone-{number}" for number in range(1, answered + 1)]
            return Reply(page(0, [*links, *(f"/held-{number}" for number in range(held))]))
        if name.startswith("stone-"):
            return Reply(page(int(name.removeprefix("stone-")), []))
        if name.startswith("held-"):
            return Reply(page(1000 + int(name.removeprefix("held-")), []), delay_seconds=HELD_SECONDS)
        return Reply("<h1>Not found</h1>", status=404)

    return answer
