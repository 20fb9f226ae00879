"""JSON lines on stderr: the message is the event's name, everything in `extra` is its data."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

#: What every log record has by itself; whatever else it carries came in through `extra`.
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Turns a log record into one line of JSON: time, level, logger, event, then the data."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON; values JSON cannot hold are written as their text."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _OWN_ATTRIBUTES:
                line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def logging_settings(level: str) -> dict[str, Any]:
    """Return Django's `LOGGING` setting: one JSON handler on stderr, everything at `level` and above."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "config.logging.JsonFormatter"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        # Django's own handlers would print a second, unstructured copy.
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # Its INFO reports every worker thread that starts and stops.
            "dramatiq": {"handlers": [], "level": level if level != "INFO" else "WARNING", "propagate": True},
        },
    }
