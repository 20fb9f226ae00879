import ipaddress
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from config.environment.env import CHECKOUT, VARIABLES, database_settings, read_env_file, read_environment
from config.environment.secret_key import stored_secret_key

SECRETS = [variable.name for variable in VARIABLES if variable.is_secret]


def test_nothing_set_gives_the_embedded_profile_on_this_machine():
    environment = read_environment({})
    assert environment.is_embedded
    assert environment.home == CHECKOUT / ".quarry"
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert (environment.crawl_delay_seconds, environment.crawl_concurrency) == (1.0, 4)
    assert (environment.embedder, environment.time_zone, environment.retention_days) == (
        "wordllama",
        "UTC",
        0,
    )
    assert environment.crawl_allow_networks == ()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("QUARRY_HOME", "/srv/quarry", "home", Path("/srv/quarry")),
        ("QUARRY_HOME", "elsewhere", "home", CHECKOUT / "elsewhere"),
        ("DATABASE_URL", "postgresql://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("BROKER_URL", "amqp://u:p@h:5672/%2f", "broker_url", "amqp://u:p@h:5672/%2f"),
        ("QDRANT_URL", "http://h:6333/", "qdrant_url", "http://h:6333"),
        ("LLM_API_KEY", "k", "llm_api_key", "k"),
        ("LLM_MODEL", "m", "llm_model", "m"),
        ("EMBEDDER", "fastembed", "embedder", "fastembed"),
        ("EMBEDDING_BASE_URL", "https://h/v1/", "embedding_base_url", "https://h/v1"),
        ("EMBEDDING_API_KEY", "k", "embedding_api_key", "k"),
        ("EMBEDDING_MODEL", "m", "embedding_model", "m"),
        (
            "CRAWL_ALLOW_NETWORKS",
            "127.0.0.0/8, fd00::/8",
            "crawl_allow_networks",
            (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("fd00::/8")),
        ),
        ("CRAWL_DELAY_SECONDS", "0.25", "crawl_delay_seconds", 0.25),
        ("CRAWL_CONCURRENCY", "9", "crawl_concurrency", 9),
        ("SECRET_KEY", "s", "secret_key", "s"),
        ("ALLOWED_HOSTS", "a.example, b.example,", "allowed_hosts", ("a.example", "b.example")),
        ("CSRF_TRUSTED_ORIGINS", "https://a.example", "csrf_trusted_origins", ("https://a.example",)),
        ("TIME_ZONE", "Europe/Berlin", "time_zone", "Europe/Berlin"),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("METRICS_TOKEN", "t", "metrics_token", "t"),
        ("RETENTION_DAYS", "30", "retention_days", 30),
        ("AUDIT_HOURS", "24", "audit_hours", 24),
        ("QUARRY_URL", "https://quarry.example/", "quarry_url", "https://quarry.example"),
        ("QUARRY_API_KEY", "k", "quarry_api_key", "k"),
    ],
)
def test_each_variable_reaches_its_field(name, text, field, value):
    assert getattr(read_environment({name: text}), field) == value


def test_the_llm_endpoint_comes_with_a_model():
    environment = read_environment({"LLM_BASE_URL": "http://h/v1/", "LLM_MODEL": "m"})
    assert (environment.llm_base_url, environment.llm_model) == ("http://h/v1", "m")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "mysql://u:hidden@h/d"),
        ("DATABASE_URL", "postgresql://u:hidden@h"),
        ("DATABASE_URL", "postgresql://u:hidden%zz@h/d"),
        ("BROKER_URL", "redis://:hidden@h"),
        ("BROKER_URL", "amqp://u:hidden@h:port/"),
        ("QDRANT_URL", "h:6333"),
        ("LLM_BASE_URL", "http://h/v1"),
        ("EMBEDDER", "openai"),
        ("EMBEDDER", "word2vec"),
        ("EMBEDDING_BASE_URL", "http://"),
        ("CRAWL_ALLOW_NETWORKS", "127.0.0.1/8"),
        ("CRAWL_ALLOW_NETWORKS", "localhost"),
        ("CRAWL_DELAY_SECONDS", "-1"),
        ("CRAWL_DELAY_SECONDS", "nan"),
        ("CRAWL_DELAY_SECONDS", "soon"),
        ("CRAWL_CONCURRENCY", "0"),
        ("CRAWL_CONCURRENCY", "4.5"),
        ("CSRF_TRUSTED_ORIGINS", "quarry.example"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("TIME_ZONE", "../../etc/passwd"),
        ("LOG_LEVEL", "LOUD"),
        ("RETENTION_DAYS", "-3"),
        ("QUARRY_URL", "ftp://h"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_a_remedy(name, text):
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment({name: text})
    message = str(refused.value)
    assert name in message
    assert re.search(r"\b(set|unset|correct|write)\b", message)
    assert "hidden" not in message
    assert refused.value.__cause__ is None or "hidden" not in str(refused.value.__cause__)


@given(st.sampled_from([variable.name for variable in VARIABLES]), st.text(max_size=40))
def test_any_text_is_taken_or_refused_but_never_breaks(name, text):
    try:
        environment = read_environment({name: text})
    except ImproperlyConfigured as refused:
        assert name in str(refused) or name == "EMBEDDER"
    else:
        assert environment == read_environment({name: f" {text} "})


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_lie_in_a_file(tmp_path, name):
    value = {"DATABASE_URL": "postgresql://u:p@h/d", "BROKER_URL": "amqp://u:p@h/"}.get(name, "from-file")
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    environment = read_environment({f"{name}_FILE": str(file)})
    assert getattr(environment, name.lower()) == value
    assert value not in repr(environment)


@pytest.mark.parametrize("content", [None, "", b"\xff\xfe"])
def test_a_secret_file_that_cannot_serve_is_refused(tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ImproperlyConfigured, match="LLM_API_KEY_FILE"):
        read_environment({"LLM_API_KEY_FILE": str(file)})


def test_a_secret_given_twice_is_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="both set"):
        read_environment({"LLM_API_KEY": "a", "LLM_API_KEY_FILE": str(tmp_path)})


def test_only_secrets_have_a_file(tmp_path):
    assert read_environment({"EMBEDDER_FILE": str(tmp_path / "none")}).embedder == "wordllama"


def test_the_example_names_exactly_the_variables_and_their_defaults():
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE)
    assert named == [(variable.name, variable.default) for variable in VARIABLES]
    for variable in VARIABLES:
        assert variable.meaning in example


def test_an_env_file_is_read_line_by_line(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# note\n\nA=1\nexport B = two words \nC='#3'\nD=\"x=y\"\nE=\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "#3", "D": "x=y", "E": ""}
    assert read_env_file(tmp_path / "none") == {}


def test_a_line_that_sets_nothing_is_named(tmp_path):
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(ImproperlyConfigured, match="line 2"):
        read_env_file(file)


def test_a_database_url_becomes_djangos_settings():
    assert database_settings("postgresql://u:p%40ss@h:6432/d?sslmode=require") == {
        "NAME": "d",
        "USER": "u",
        "PASSWORD": "p@ss",
        "HOST": "h",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require"},
    }


def test_the_secret_key_is_made_once_and_private(tmp_path):
    key = stored_secret_key(tmp_path / "home")
    assert len(key) >= 50
    assert stored_secret_key(tmp_path / "home") == key
    assert stat.S_IMODE((tmp_path / "home" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret_key"]


def test_processes_that_start_together_get_one_secret_key(tmp_path):
    code = (
        "import sys; from pathlib import Path; from config.environment.secret_key import stored_secret_key\n"
        "print('here', flush=True); sys.stdin.readline()\n"
        "print(stored_secret_key(Path(sys.argv[1])), end='')"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == "here\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    keys = {child.communicate(timeout=60)[0] for child in children}
    assert len(keys) == 1
    assert len(keys.pop()) >= 50


def test_an_empty_secret_key_file_is_refused(tmp_path):
    (tmp_path / "secret_key").touch()
    with pytest.raises(ImproperlyConfigured, match="delete it"):
        stored_secret_key(tmp_path)


def test_only_one_module_reads_the_environment():
    readers = {
        str(path.relative_to(CHECKOUT))
        for app in ("config", "jobs", "crawling", "extraction")
        for path in (CHECKOUT / app).rglob("*.py")
        if re.search(r"os\.(environ\b(?!\.setdefault)|getenv)", path.read_text(encoding="utf-8"))
    }
    # The bootstrap runs before there is an environment to import anything from; the others read no setting, they
    # hand the environment on to a process of their own.
    hand_on = {"config/demo/scratch_home.py", "config/benches/chaos/unfenced.py"}
    assert readers - {"config/bootstrap.py"} - hand_on == {"config/environment/env.py"}
