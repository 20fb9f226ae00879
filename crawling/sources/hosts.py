"""What is remembered of a host between slices: its robots.txt and its pace."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from crawling.models import Host
from crawling.web.robots import RobotsRules, RobotsState
from jobs.postgres.text import storable_text

ROBOTS_LIFE = timedelta(hours=24)  # RFC 9309, section 2.4


@dataclass(frozen=True, slots=True)
class HostMemory:
    """A host as remembered; `robots` is None if robots.txt must be fetched (again)."""

    delay_seconds: float | None
    slow_down_seconds: float
    robots: RobotsRules | None


def host_recall(netloc: str) -> HostMemory:
    """Return what is remembered of the host, creating its row if there is none."""
    host, _ = Host.objects.get_or_create(netloc=netloc)
    robots = None
    if host.robots_fetched_at and host.robots_fetched_at > timezone.now() - ROBOTS_LIFE:
        state = RobotsState.RULES if host.robots_status == 200 else RobotsState.ABSENT
        robots = RobotsRules(state, host.robots_text)
    return HostMemory(host.delay_seconds, host.slow_down_seconds, robots)


def robots_remember(netloc: str, rules: RobotsRules) -> None:
    """Keep the host's rules for a day; an unreachable robots.txt is not kept."""
    if rules.state is not RobotsState.UNREACHABLE:
        status = 200 if rules.state is RobotsState.RULES else 404
        Host.objects.filter(netloc=netloc).update(robots_status=status, robots_text=rules.text, robots_fetched_at=Now())


def pace_remember(netloc: str, slow_down_seconds: float, last_error: str) -> None:
    """Store how much requests to the host were slowed down, and its last error."""
    Host.objects.filter(netloc=netloc).update(slow_down_seconds=slow_down_seconds)
    if last_error:
        error = storable_text(last_error)[:300]
        Host.objects.filter(netloc=netloc).update(last_error=error, last_error_at=Now())
