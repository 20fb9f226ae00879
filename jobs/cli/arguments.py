"""Arguments parsed into values."""

from uuid import UUID

from jobs.errors import Invalid


def job_id_parsed(text: str) -> UUID:
    """Return the id. Raises: Invalid."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is not a job id; copy one from the list of jobs.", code="malformed_id") from error
