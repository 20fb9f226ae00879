"""How much one fetch may take: of bytes and of time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one fetch.

    max_bytes: of the body, after decompression. total_seconds: from start to last byte.
    connect_seconds: DNS, connection and TLS together. idle_seconds: without a single byte.
    """

    max_bytes: int = 10 * 1024 * 1024
    total_seconds: float = 60.0
    connect_seconds: float = 10.0
    idle_seconds: float = 20.0
