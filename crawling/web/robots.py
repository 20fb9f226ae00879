"""robots.txt as one host serves it (RFC 9309), kept as text so that it can be stored with the host."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from protego import Protego

from crawling.errors import BadUrl
from crawling.web.urls import canonical_url

ROBOT_NAME = "Quarry"
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5


class RobotsState(StrEnum):
    """What the host answered when asked for its robots.txt."""

    RULES = "rules"
    ABSENT = "absent"  #: none exists (4xx): everything is allowed
    UNREACHABLE = "unreachable"  #: the host failed (5xx, no reply): nothing is allowed until it answers


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """The rules of one host for us. Store `state` and `text`; the two rebuild it."""

    state: RobotsState
    text: str = ""
    _rules: Protego = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rules", Protego.parse(self.text))

    @classmethod
    def from_reply(cls, status: int | None, body: bytes = b"") -> "RobotsRules":
        """Return the rules of a reply to GET /robots.txt; status None stands for no reply at all.

        429 counts as unreachable: a host that asks for fewer requests has not said that all are welcome.
        Only the first MAX_ROBOTS_BYTES are read, as RFC 9309 has it.
        """
        if status is None or status == 429 or status >= 500:
            return cls(RobotsState.UNREACHABLE)
        if not 200 <= status < 300:
            return cls(RobotsState.ABSENT)
        if len(body) > MAX_ROBOTS_BYTES:  # a rule cut in the middle would forbid too much
            body = body[:MAX_ROBOTS_BYTES].rpartition(b"\n")[0]
        return cls(RobotsState.RULES, body.decode("utf-8-sig", "replace").replace("\x00", ""))

    def allowed(self, url: str) -> bool:
        """Return whether we may fetch `url`, which is on this host."""
        if self.state is RobotsState.UNREACHABLE:
            return False
        return bool(self._rules.can_fetch(url, ROBOT_NAME))

    @property
    def crawl_delay_seconds(self) -> float | None:
        """Return the pause between requests the host asks of us: Crawl-delay or Request-rate, the longer."""
        delays = []
        delay = self._rules.crawl_delay(ROBOT_NAME)
        if delay is not None:
            delays.append(float(delay))
        rate = self._rules.request_rate(ROBOT_NAME)
        if rate is not None and rate.requests > 0:
            delays.append(rate.seconds / rate.requests)
        return max((delay for delay in delays if math.isfinite(delay) and delay >= 0), default=None)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """Return the sitemaps that the host names, canonical and each once; malformed ones are left out."""
        found: dict[str, None] = {}
        for address in self._rules.sitemaps:
            try:
                found[canonical_url(address)] = None
            except BadUrl:
                continue
        return tuple(found)
