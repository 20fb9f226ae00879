"""Tells when a cleanup has removed its rows: an owner of nothing, asked after all those that own something."""

import time
from collections.abc import Sequence
from uuid import UUID

from jobs.owners import Removed


class RowsClock:
    """See `jobs.owners.ArtifactOwner`. rows_gone_at: time.monotonic() when all other owners had removed their rows."""

    name = "bench-clock"
    rank = 0

    def __init__(self) -> None:
        self.rows_gone_at = 0.0

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Look at the clock."""
        self.rows_gone_at = self.rows_gone_at or time.monotonic()
        return {}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Own nothing that could be adopted."""
        return 0

    def work_off(self, job_ids: Sequence[UUID]) -> None:
        """Have queued nothing."""

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Own nothing."""
        return 0
