"""The environment: the one place that reads `os.environ` and the `.env` file, once, and checks every value.

`VARIABLES` is the whole list; `.env.example` shows the same one.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from config.environment.env_checks import (
    Network,
    check_companions,
    checked_choice,
    checked_network,
    checked_postgresql_url,
    checked_seconds,
    checked_time_zone,
    checked_url,
    checked_whole,
    comma_separated,
)

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent

#: What EMBEDDER may name; `openai` stands for any endpoint that speaks its protocol.
EMBEDDERS: Final = ("wordllama", "fastembed", "openai")
_HTTP: Final = ("http", "https")
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name, its default as text, what it means, whether it is a secret."""

    name: str
    default: str
    meaning: str
    is_secret: bool = False


VARIABLES: Final = (
    Variable(
        "QUARRY_HOME", ".quarry", "Data folder of the embedded profile; a relative path is relative to the checkout."
    ),
    Variable(
        "DATABASE_URL",
        "",
        "PostgreSQL server, as postgresql://user:password@host/name; if empty, Quarry runs its own.",
        True,
    ),
    Variable(
        "BROKER_URL",
        "",
        "RabbitMQ server, as amqp://user:password@host/; if empty, messages stay in the process.",
        True,
    ),
    Variable("QDRANT_URL", "", "Qdrant server, such as http://host:6333; if empty, the embedded vector store is used."),
    Variable("LLM_BASE_URL", "", "OpenAI-compatible endpoint, such as http://host/v1; checked, but not used yet."),
    Variable("LLM_API_KEY", "", "API key for LLM_BASE_URL.", True),
    Variable("LLM_MODEL", "", "Model to use at LLM_BASE_URL; required if that is set."),
    Variable(
        "EMBEDDER",
        "wordllama",
        "What computes embeddings: wordllama (bundled), fastembed (an extra package) or openai.",
    ),
    Variable("EMBEDDING_BASE_URL", "", "OpenAI-compatible endpoint for EMBEDDER=openai."),
    Variable("EMBEDDING_API_KEY", "", "API key for EMBEDDING_BASE_URL.", True),
    Variable("EMBEDDING_MODEL", "", "Model for EMBEDDER=fastembed or openai."),
    Variable(
        "CRAWL_ALLOW_NETWORKS",
        "",
        "Private networks that may be crawled, comma-separated, such as 10.1.0.0/16.",
    ),
    Variable("CRAWL_DELAY_SECONDS", "1.0", "Seconds between two requests to one host, unless the host asks for more."),
    Variable("CRAWL_CONCURRENCY", "4", "Maximum number of concurrent requests to one host."),
    Variable(
        "SECRET_KEY", "", "Key that signs sessions; if empty, it is generated once and kept in QUARRY_HOME.", True
    ),
    Variable("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "Host names that Quarry answers to, comma-separated."),
    Variable(
        "CSRF_TRUSTED_ORIGINS",
        "",
        "Origins to trust behind a proxy, comma-separated, such as https://quarry.example.org.",
    ),
    Variable("TIME_ZONE", "UTC", "Time zone of the times in the admin, such as Europe/Berlin."),
    Variable("LOG_LEVEL", "INFO", "Lowest level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    Variable("METRICS_TOKEN", "", "Bearer token that /metrics requires; if empty, there is no /metrics.", True),
    Variable("RETENTION_DAYS", "0", "Days after which the results of a finished job are cleaned up; 0 means never."),
    Variable("AUDIT_HOURS", "1", "Hours between two background comparisons of rows and vectors; 0 means never."),
    Variable("QUARRY_URL", "http://127.0.0.1:8000", "Quarry server that the mcp command connects to."),
    Variable("QUARRY_API_KEY", "", "API key that the mcp command uses.", True),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Every checked value of the environment; secrets are kept out of its repr."""

    home: Path
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    qdrant_url: str
    llm_base_url: str
    llm_api_key: str = field(repr=False)
    llm_model: str
    embedder: str
    embedding_base_url: str
    embedding_api_key: str = field(repr=False)
    embedding_model: str
    crawl_allow_networks: tuple[Network, ...]
    crawl_delay_seconds: float
    crawl_concurrency: int
    secret_key: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    time_zone: str
    log_level: str
    metrics_token: str = field(repr=False)
    retention_days: int
    audit_hours: int
    quarry_url: str
    quarry_api_key: str = field(repr=False)

    @property
    def is_embedded(self) -> bool:
        """Whether PostgreSQL is our own child instead of a server named by DATABASE_URL."""
        return not self.database_url


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Return the checked environment.

    An empty value counts as unset. `secret_key` may be empty: see `config.environment.secret_key`.
    Raises: ImproperlyConfigured, saying which variable is wrong and what to do.
    """
    text = _texts(environ)
    return Environment(
        home=(CHECKOUT / Path(text["QUARRY_HOME"]).expanduser()).absolute(),
        crawl_allow_networks=tuple(checked_network(part) for part in comma_separated(text["CRAWL_ALLOW_NETWORKS"])),
        crawl_delay_seconds=checked_seconds("CRAWL_DELAY_SECONDS", text["CRAWL_DELAY_SECONDS"]),
        crawl_concurrency=checked_whole("CRAWL_CONCURRENCY", text["CRAWL_CONCURRENCY"], lowest=1),
        retention_days=checked_whole("RETENTION_DAYS", text["RETENTION_DAYS"], lowest=0),
        audit_hours=checked_whole("AUDIT_HOURS", text["AUDIT_HOURS"], lowest=0),
        **_services(text),
        **_models(text),
        **_site(text),
    )


def _services(text: Mapping[str, str]) -> dict[str, Any]:
    return {
        "database_url": checked_postgresql_url(text["DATABASE_URL"]),
        "broker_url": checked_url("BROKER_URL", text["BROKER_URL"], ("amqp", "amqps")),
        "qdrant_url": checked_url("QDRANT_URL", text["QDRANT_URL"], _HTTP),
        "quarry_url": checked_url("QUARRY_URL", text["QUARRY_URL"], _HTTP),
        "quarry_api_key": text["QUARRY_API_KEY"],
    }


def _models(text: Mapping[str, str]) -> dict[str, Any]:
    """Check the language model and the embedder, and that what belongs together is there together."""
    if text["LLM_BASE_URL"]:
        check_companions("LLM_BASE_URL", ("LLM_MODEL",), text)
    if text["EMBEDDER"] == "openai":
        check_companions("EMBEDDER=openai", ("EMBEDDING_BASE_URL", "EMBEDDING_MODEL"), text)
    return {
        "llm_base_url": checked_url("LLM_BASE_URL", text["LLM_BASE_URL"], _HTTP),
        "llm_api_key": text["LLM_API_KEY"],
        "llm_model": text["LLM_MODEL"],
        "embedder": checked_choice("EMBEDDER", text["EMBEDDER"], EMBEDDERS),
        "embedding_base_url": checked_url("EMBEDDING_BASE_URL", text["EMBEDDING_BASE_URL"], _HTTP),
        "embedding_api_key": text["EMBEDDING_API_KEY"],
        "embedding_model": text["EMBEDDING_MODEL"],
    }


def _site(text: Mapping[str, str]) -> dict[str, Any]:
    origins = comma_separated(text["CSRF_TRUSTED_ORIGINS"])
    return {
        "secret_key": text["SECRET_KEY"],
        "allowed_hosts": comma_separated(text["ALLOWED_HOSTS"]),
        "csrf_trusted_origins": tuple(checked_url("CSRF_TRUSTED_ORIGINS", part, _HTTP) for part in origins),
        "time_zone": checked_time_zone(text["TIME_ZONE"]),
        "log_level": checked_choice("LOG_LEVEL", text["LOG_LEVEL"].upper(), _LOG_LEVELS),
        "metrics_token": text["METRICS_TOKEN"],
    }


def load_environment() -> Environment:
    """Return the environment of this process, completed from the checkout's `.env` file."""
    values = {**read_env_file(CHECKOUT / ".env"), **os.environ}
    return read_environment(values)


def read_env_file(path: Path) -> dict[str, str]:
    """Return the `NAME=value` lines of a file; nothing if there is no such file.

    Blank lines, `#` comments, a leading `export` and quotes around a value are accepted.
    Raises: ImproperlyConfigured naming the first line that is none of these.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read ({error}); make it readable UTF-8 text.") from error
    values = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", line)
        if not found:
            raise ImproperlyConfigured(f"{path}, line {number} is not NAME=value; correct or remove it.")
        name, value = found.groups()
        quoted = re.fullmatch(r"""(["'])(.*)\1""", value)
        values[name] = quoted[2] if quoted else value
    return values


def database_settings(database_url: str) -> dict[str, Any]:
    """Return Django's NAME, USER, PASSWORD, HOST, PORT and OPTIONS for a checked postgresql:// URL."""
    options = dict(conninfo_to_dict(database_url))
    return {
        "NAME": options.pop("dbname"),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": options.pop("port", ""),
        "OPTIONS": options,
    }


def _texts(environ: Mapping[str, str]) -> dict[str, str]:
    """Return every variable's text: its value, the content of the file a secret points to, or the default."""
    texts = {}
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        file_name = environ.get(f"{variable.name}_FILE", "").strip() if variable.is_secret else ""
        if text and file_name:
            raise ImproperlyConfigured(f"{variable.name} and {variable.name}_FILE are both set; unset one of them.")
        if file_name:
            text = _file_text(variable.name, Path(file_name))
        texts[variable.name] = text or variable.default
    return texts


def _file_text(name: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{name}_FILE names {path}, which cannot be read ({error}); name a readable UTF-8 text file."
        ) from error
    if not text:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which is empty; put the secret there.")
    return text
