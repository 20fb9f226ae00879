"""The secret key that signs sessions, when the environment names none."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def stored_secret_key(home: Path) -> str:
    """Return the secret key kept in `home`, generated on first use; the file is readable by its owner only.

    Raises: ImproperlyConfigured if it can be neither read nor made.
    """
    path = home / "secret_key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(48))
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key cannot be kept in {path} ({error.strerror}); make QUARRY_HOME writable or set SECRET_KEY."
        ) from error
    if not key:
        raise ImproperlyConfigured(f"{path} is empty; delete it to get a new key, or set SECRET_KEY.")
    return key


def _write_secret(path: Path, secret: str) -> None:
    """Create `path` with `secret` unless it exists: it appears complete, and of two writers one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
