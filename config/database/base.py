"""The database backend named by `ENGINE = "config.database"`."""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base

from config.embedded.client import ensure_running
from config.embedded.errors import EmbeddedError


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects to the server of `EMBEDDED_HOME`, starting it if need be; without that key, as Django does."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a new connection to a server that runs.

        Raises: psycopg's OperationalError, which Django wraps, with the remedy if it cannot be started.
        """
        home = self.settings_dict.get("EMBEDDED_HOME")
        if not home:
            return super().get_new_connection(conn_params)
        host = self._running(home, is_known_good=True)
        try:
            return super().get_new_connection({**conn_params, "host": host})
        except self.Database.OperationalError:
            # The server we knew may have been killed since: look again, thoroughly, once.
            host = self._running(home, is_known_good=False)
            return super().get_new_connection({**conn_params, "host": host})

    def _running(self, home: Path, *, is_known_good: bool) -> str:
        """Return the host to connect to; `dbshell` and the like find it in the settings, too."""
        try:
            host = str(ensure_running(home, is_known_good=is_known_good))
        except EmbeddedError as error:
            raise self.Database.OperationalError(str(error)) from error
        self.settings_dict["HOST"] = host
        return host
