"""Finding and calling the server that `up` runs on this machine, from other processes of the same user."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from jobs.errors import QuarryError, Unavailable

ASK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Where the running server is and the key it accepts from us."""

    url: str
    key: str

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a POST of `body`. Raises: QuarryError with the server's own detail, Unavailable."""
        request = urllib.request.Request(  # noqa: S310  the address is our own, from a private file
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-API-Key": self.key},
        )
        try:
            with urllib.request.urlopen(request, timeout=ASK_SECONDS) as reply:  # noqa: S310  as above
                answer: dict[str, Any] = json.load(reply)
                return answer
        except urllib.error.HTTPError as error:
            problem = _problem(error.read())
            detail = problem.get("detail") or f"The server answered {error.code}."
            raise QuarryError(detail, code=problem.get("code", "error")) from error
        except OSError as error:
            raise Unavailable(f"The running server at {self.url} does not answer ({error}); restart `up`.") from error


def local_server() -> LocalServer | None:
    """Return the server that `up` runs with this QUARRY_HOME, None if there is none."""
    try:
        note = json.loads((settings.QUARRY.home / "up.json").read_text())
        os.kill(int(note["pid"]), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, KeyError):
        return None
    except PermissionError:  # the process is alive but belongs to another user
        pass
    return LocalServer(note["url"], note["key"])


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
