"""`manage.py` in a process whose settles do not look at leases: what chaos must find out.

Started by `bench chaos --sabotage fence` alone, as `python -m config.benches.chaos.unfenced up …`. The product
knows of no such switch: the fence is taken out of this one process.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID


def fence_remove() -> None:
    """Let every worker of this process write what it likes, whoever holds the item and however its job stands."""
    # Here, because models can be imported only once Django is set up.
    from jobs.ledger import settle
    from jobs.registry.kinds import Outcome
    from jobs.states import JobStatus

    def held_by_anybody(outcomes: Sequence[Outcome]) -> dict[int, UUID]:
        return {outcome.claim.id: outcome.claim.lease for outcome in outcomes}

    fence = " AND w.lease = d.lease"
    if fence not in settle._WRITE:
        raise AssertionError("the settling statement has another fence now; take that one out")
    changes: dict[str, Any] = {
        "_leases_locked": held_by_anybody,
        "_WRITE": settle._WRITE.replace(fence, ""),
        "SETTLING_JOB": frozenset(JobStatus),
    }
    for name, value in changes.items():
        setattr(settle, name, value)


def main() -> None:
    """Run the command line without the fence."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    # Here, because importing this module must not choose the settings.
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    fence_remove()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
