"""Checks of single environment values; every refusal names the variable and says what to write instead."""

import ipaddress
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def comma_separated(text: str) -> tuple[str, ...]:
    """Return the parts without blanks around them; empty ones do not count."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def checked_choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    """Return `text` if it is one of the choices."""
    if text not in choices:
        raise ImproperlyConfigured(f"{name} is {text!r}; set it to one of {', '.join(choices)}.")
    return text


def checked_url(name: str, text: str, schemes: tuple[str, ...]) -> str:
    """Return `text`, of HTTP without trailing slashes (none stays none); no message shows a password."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ImproperlyConfigured(f"{name} is not a URL of the form {'|'.join(schemes)}://host[:port]/…; correct it.")
    return text if schemes[0] == "amqp" else text.rstrip("/")


def check_companions(cause: str, names: Sequence[str], text: Mapping[str, str]) -> None:
    """Refuse the environment if `cause` is set and one of `names` is not."""
    for name in names:
        if not text[name]:
            raise ImproperlyConfigured(f"{name} is not set, but {cause} needs it; set {name} as well.")


def checked_postgresql_url(text: str) -> str:
    """Return `text` if it is none or a postgresql:// URL with a database's name, shown in no message."""
    if not text:
        return ""
    wanted = "set it to postgresql://user:password@host:5432/name, or unset it to use the embedded PostgreSQL"
    if not text.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"DATABASE_URL is not a PostgreSQL URL; {wanted}.")
    try:
        has_name = bool(conninfo_to_dict(text).get("dbname"))
    except psycopg.ProgrammingError:
        raise ImproperlyConfigured(
            f"DATABASE_URL cannot be read; {wanted}."
        ) from None  # the cause may quote the password
    if not has_name:
        raise ImproperlyConfigured(f"DATABASE_URL names no database; {wanted}.")
    return text


def checked_network(text: str) -> Network:
    """Return the IPv4 or IPv6 network in CIDR notation; a host's address is one of a single address."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"CRAWL_ALLOW_NETWORKS contains {text!r} ({error}); write networks such as 127.0.0.0/8."
        ) from error


def checked_seconds(name: str, text: str) -> float:
    """Return a number of seconds up to a day."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ImproperlyConfigured(f"{name} is {text!r}; set it to a number of seconds from 0 to 86400, such as 1.0.")
    return seconds


def checked_whole(name: str, text: str, *, lowest: int) -> int:
    """Return a whole number of at most nine digits."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < lowest:
        raise ImproperlyConfigured(f"{name} is {text!r}; set it to a whole number, {lowest} or more.")
    return int(text)


def checked_time_zone(text: str) -> str:
    """Return the name of a time zone that exists."""
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(f"TIME_ZONE is {text!r}; set it to a name such as UTC or Europe/Berlin.") from error
    return text
