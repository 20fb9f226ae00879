"""docs/state-machine.md says what `jobs/states.py` and the tested action table say, no more and no less."""

import re
from pathlib import Path

import pytest

from jobs.states import FINAL_ITEM, ITEM_MOVES, JOB_MOVES, ItemState, JobStatus
from tests.helpers.state_matrix import HEAD, ROWS

TEXT = (Path(__file__).parent.parent.parent / "docs" / "state-machine.md").read_text()
ARROW = re.compile(r"^    (\S+) --> (\S+?)(?:: (.+))?$")


def arrows(heading: str) -> dict[tuple[str, str], str]:
    """Return (from, to) → label of the one diagram below the heading; every line of it must be an arrow."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{heading}\n")]
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", own, re.DOTALL)
    found = [ARROW.match(line) for line in diagram.rstrip("\n").split("\n")]
    assert all(found), "a line of the diagram is no arrow"
    drawn = [((match[1], match[2]), match[3] or "") for match in found if match]
    assert len(drawn) == len(dict(drawn)), "an arrow is drawn twice"
    return dict(drawn)


@pytest.mark.parametrize(("heading", "moves"), [("Jobs", JOB_MOVES), ("Items", ITEM_MOVES)])
def test_every_move_is_drawn_and_no_other(heading: str, moves: dict[str, frozenset[str]]) -> None:
    drawn = {move for move in arrows(heading) if "[*]" not in move}
    assert drawn == {(str(start), str(to)) for start, targets in moves.items() for to in targets}


@pytest.mark.parametrize(("heading", "states"), [("Jobs", JobStatus), ("Items", ItemState)])
def test_every_state_is_drawn_and_every_move_says_who_moves(heading: str, states: type) -> None:
    drawn = arrows(heading)
    assert {name for move in drawn for name in move} - {"[*]"} == {str(state) for state in states}
    movers = re.compile(r"staff|worker|healing|finisher|cancel|plan")
    assert [move for move, label in drawn.items() if move[1] != "[*]" and not movers.search(label)] == []


def test_the_begin_and_the_ends_are_drawn() -> None:
    jobs = {move for move in arrows("Jobs") if "[*]" in move}
    assert jobs == {("[*]", "queued"), ("deleting", "[*]")}
    items = {move for move in arrows("Items") if "[*]" in move}
    never_left = {state for state in FINAL_ITEM if not ITEM_MOVES[state]}
    assert items == {("[*]", "pending"), *((str(state), "[*]") for state in never_left)}


def test_what_healing_does_is_drawn() -> None:
    """The statements of `jobs/worker/healing.py`: leases, pending items of cancelling jobs, ends that nobody wrote."""
    jobs = {move for move, label in arrows("Jobs").items() if "healing" in label}
    active = ("queued", "running", "paused")
    ends = {(start, end) for start in active for end in ("completed", "failed")}
    assert jobs == ends | {("cancelling", "cancelled"), ("cancelled", "deleting")}
    items = {move for move, label in arrows("Items").items() if "healing" in label}
    assert items == {("pending", "skipped"), ("claimed", "failed"), ("claimed", "pending")}


def test_the_action_table_is_the_tested_one() -> None:
    lines = [line for line in TEXT.split("\n") if line.startswith("| ")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    assert cells == [HEAD, *ROWS]
