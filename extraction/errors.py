"""Errors that the rooms of extraction share, one class per decision a caller makes.

A service that is out of order is `jobs.errors.Unavailable`: what met it is tried again, never answered weaker.
"""

from __future__ import annotations

from jobs.errors import Invalid, QuarryError


class SchemaInvalid(Invalid):
    """Invalid input

    The extraction schema, or a selector in it, breaks a rule of its format.
    """

    code = "schema_invalid"


class BadValue(QuarryError):
    """The raw string is not a value of the field's type"""

    code = "bad_value"


class NotApplicable(QuarryError):
    """The extractor has nothing to say about the page, and the cascade moves on to the next one"""

    code = "not_applicable"
