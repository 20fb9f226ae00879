"""A browser and a running server for the tests that click. They are skipped where no Chromium is installed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections

from tests.helpers.web_driver import Browser, browser, is_installed

NAME, PASSWORD = "root", "a password for tests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser where there is none."""
    if is_installed():
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no chromium and chromedriver on this machine"))


@pytest.fixture(scope="session", autouse=True)
def short_connections() -> Iterator[None]:
    """Let the server's threads close their database connections, so that the test database can go."""
    kept = connections.settings["default"]["CONN_MAX_AGE"]
    connections.settings["default"]["CONN_MAX_AGE"] = 0
    yield
    connections.settings["default"]["CONN_MAX_AGE"] = kept


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Browser]:
    """The browser all tests share: starting one takes seconds."""
    with browser() as session:
        yield session


@pytest.fixture
def page(one_browser: Browser, live_server: Any, transactional_db: None) -> Iterator[Browser]:
    """A browser logged in as a superuser, its console empty.

    Afterwards its page is left: one that updates itself would go on asking the server while other tests run.
    """
    User.objects.create_superuser(NAME, password=PASSWORD)
    one_browser.go(f"{live_server.url}/admin/login/")
    one_browser.devtools("Network.clearBrowserCookies")
    one_browser.colours("light")
    one_browser.resize(1440, 900)
    one_browser.go(f"{live_server.url}/admin/login/?next=/admin/")
    one_browser.type("#id_username", NAME)
    one_browser.type("#id_password", PASSWORD)
    one_browser.click("[type=submit]")
    one_browser.wait("return location.pathname === '/admin/' && document.readyState === 'complete'")
    one_browser.complaints()
    yield one_browser
    one_browser.go("about:blank")
