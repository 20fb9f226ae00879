"""Whatever happens to running jobs, nothing is lost, doubled, left behind or stuck; and the judge does look."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.embedded_home import Home
from tests.helpers.installation import Installation

ROUNDS = 2
SEED = 1
BENCH_SECONDS = 300  #: a third of a minute is normal for one round; other tests run beside it
ACTS = {"pause", "pause_resume", "cancel", "force", "retry", "cleanup", "delete", "delete_with_cleanup"}
PROMISES = ("lost", "duplicated", "orphans", "stuck")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation in which benches make homes of their own."""
    installation = Installation(tmp_path / "home")
    yield installation
    installation.close()
    Home(installation.path / "bench" / "chaos").close()


def chaos(installation: Installation, *options: str, code: int) -> dict[str, Any]:
    """Return what the bench printed; it must end with `code`."""
    done: subprocess.CompletedProcess[str] = installation.run(
        "bench", "chaos", "--seed", str(SEED), "--json", *options, code=code, seconds=BENCH_SECONDS
    )
    return json.loads(done.stdout)


def test_rounds_of_chaos_lose_nothing(installation: Installation) -> None:
    found = chaos(installation, "--rounds", str(ROUNDS), code=0)
    assert {promise: found[promise] for promise in PROMISES} == dict.fromkeys(PROMISES, 0), found["findings"]
    assert found["findings"] == []
    assert found["rounds"] == ROUNDS
    acts = found["acts"]
    assert acts["kill"] == sum(number for act, number in acts.items() if act.startswith("force_held")) == ROUNDS
    assert acts["passages deleted by hand"] >= ROUNDS
    # How far a job has come when its turn comes depends on the machine, and some acts are refused then.
    tried = {act.removesuffix(" refused") for act in acts}
    assert tried >= ACTS, f"too little happened: {acts}"


@pytest.mark.parametrize(
    ("sabotage", "promise", "finding"),
    [
        ("trigger", "orphans", "points have no row"),
        pytest.param("fence", "lost", "its ledger", marks=pytest.mark.long),
        pytest.param("heal", "stuck", "never applied", marks=pytest.mark.long),
    ],
)
def test_what_is_switched_off_is_found_out(
    installation: Installation, sabotage: str, promise: str, finding: str
) -> None:
    found = chaos(installation, "--rounds", "1", "--sabotage", sabotage, code=1)
    assert found[promise] > 0
    assert any(line.startswith(promise) and finding in line for line in found["findings"]), found["findings"]


def test_an_unknown_sabotage_is_refused(installation: Installation) -> None:
    refused = installation.run("bench", "chaos", "--sabotage", "gravity", code=2)
    assert "trigger, fence" in refused.stderr
