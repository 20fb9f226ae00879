"""Whatever happens to running jobs, nothing is lost, doubled, left behind or stuck; and the judge does look."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.embedded_home import Home
from tests.helpers.house import House

ROUNDS = 3
SEED = 1
BENCH_SECONDS = 300  #: a third of a minute is normal for one round; other tests run beside it
ACTS = {"pause", "pause_resume", "cancel", "force", "retry", "cleanup", "delete", "delete_with_cleanup"}
ENOUGH_ACTS = 5  #: how far a job has come when its turn comes depends on the machine, and some acts are refused then
PROMISES = ("lost", "duplicated", "orphans", "stuck")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in which benches make homes of their own."""
    house = House(tmp_path / "home")
    yield house
    house.close()
    Home(house.path / "bench" / "chaos").close()


def chaos(house: House, *options: str, code: int) -> dict[str, Any]:
    """Return what the bench printed; it must end with `code`."""
    done: subprocess.CompletedProcess[str] = house.run(
        "bench", "chaos", "--seed", str(SEED), "--json", *options, code=code, seconds=BENCH_SECONDS
    )
    return json.loads(done.stdout)


def test_three_rounds_of_chaos_lose_nothing(house: House) -> None:
    found = chaos(house, "--rounds", str(ROUNDS), code=0)
    assert {promise: found[promise] for promise in PROMISES} == dict.fromkeys(PROMISES, 0), found["findings"]
    assert found["findings"] == []
    assert found["rounds"] == ROUNDS
    acts = found["acts"]
    assert acts["kill"] == sum(number for act, number in acts.items() if act.startswith("force_held")) == ROUNDS
    assert acts["passages deleted by hand"] >= ROUNDS
    assert len(ACTS & set(acts)) >= ENOUGH_ACTS, f"too little happened: {acts}"


@pytest.mark.parametrize(
    ("sabotage", "promise", "finding"),
    [
        ("trigger", "orphans", "points have no row"),
        pytest.param("fence", "lost", "its ledger", marks=pytest.mark.long),
        pytest.param("heal", "stuck", "never applied", marks=pytest.mark.long),
    ],
)
def test_what_is_switched_off_is_found_out(house: House, sabotage: str, promise: str, finding: str) -> None:
    found = chaos(house, "--rounds", "1", "--sabotage", sabotage, code=1)
    assert found[promise] > 0
    assert any(line.startswith(promise) and finding in line for line in found["findings"]), found["findings"]


def test_an_unknown_sabotage_is_refused(house: House) -> None:
    refused = house.run("bench", "chaos", "--sabotage", "gravity", code=2)
    assert "trigger, fence" in refused.stderr
