"""Errors of the extraction room: one class per decision a caller makes."""

from __future__ import annotations


class ExtractionError(Exception):
    """Root of every error raised by the extraction room."""

    code = "extraction_error"
    retryable = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail  #: one sentence for the reader that says what to do next


class SchemaInvalid(ExtractionError):
    """The extraction schema breaks a rule of its format."""

    code = "schema_invalid"


class PresetUnknown(ExtractionError):
    """No preset has this name."""

    code = "preset_unknown"

    def __init__(self, name: str, available: tuple[str, ...]) -> None:
        super().__init__(f"There is no preset {name!r}; use one of: {', '.join(available)}.")
        self.name = name
        self.available = available


class BadValue(ExtractionError):
    """A raw string cannot become a value of the field's type."""

    code = "bad_value"


class NotApplicable(ExtractionError):
    """This extractor has nothing to say about the page; the cascade moves on to the next one."""

    code = "not_applicable"


class Unavailable(ExtractionError):
    """A service the extractor needs is out of order; the item must be tried again, never answered weaker."""

    code = "llm_unavailable"
    retryable = True
