"""Values as PostgreSQL can store them."""

from typing import Any


def storable_text(text: str) -> str:
    """Return `text` without NUL and with lone surrogates replaced: PostgreSQL stores neither."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def storable(value: Any) -> Any:
    """Return a JSON-able value with every text in it storable, keys included."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value
