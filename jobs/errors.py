"""Errors a caller can act on. Each carries a stable `code` and a `detail` that says what to do next.

Only `config/web/problems.py` turns them into HTTP responses, and only commands turn them into exit codes.
"""

from typing import Any
from uuid import UUID


class QuarryError(Exception):
    """Something was refused or is impossible; the base class of all errors of Quarry.

    is_temporary: the same may work later, for instance once a service answers again; such work is tried again.
    """

    code = "error"
    is_temporary = False

    def __init__(self, detail: str, *, code: str | None = None, **context: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.context = context


class NotFound(QuarryError):
    """Not found"""

    code = "not_found"


class Conflict(QuarryError):
    """Not possible in the current state"""

    code = "conflict"


class Invalid(QuarryError):
    """Invalid input"""

    code = "invalid"


class Forbidden(QuarryError):
    """Not allowed"""

    code = "forbidden"


class Unavailable(QuarryError):
    """A required service does not answer"""

    code = "unavailable"
    is_temporary = True


def job_unknown(job_id: UUID | str) -> NotFound:
    """Return the error for a job that does not exist."""
    return NotFound(f"There is no job {job_id}. It may have been deleted; list the jobs to find the right id.")
