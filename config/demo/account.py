"""The first account of a new installation."""

import secrets

from django.contrib.auth import get_user_model

ADMIN_NAME = "admin"


def admin_ensure() -> str | None:
    """Create the superuser `admin` if there is no superuser; return its password then, else None."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists() or users.filter(username=ADMIN_NAME).exists():
        return None
    password = secrets.token_urlsafe(9)
    users.create_superuser(username=ADMIN_NAME, email="", password=password)
    return password
