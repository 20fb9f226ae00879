"""Settings of the tests: the project's, in a home of their own and free of the developer's environment.

Only DATABASE_URL is heeded, when it is set in the environment itself: then the tests use that server.
"""

import os

from config.environment.env import CHECKOUT, VARIABLES

# Each process of a parallel run has a home, and so a server, of its own.
TEST_HOME = CHECKOUT / ".quarry" / "-".join(filter(None, ("test", os.environ.get("PYTEST_XDIST_WORKER"))))

for _variable in VARIABLES:
    os.environ.pop(f"{_variable.name}_FILE", None)
    if _variable.name != "DATABASE_URL":
        os.environ.pop(_variable.name, None)
    os.environ.setdefault(_variable.name, "")  # empty means unset, and hides the one in .env
os.environ["QUARRY_HOME"] = str(TEST_HOME)

# Test data may be lost with the machine; that saves the waits for the disk.
TEST_HOME.mkdir(parents=True, exist_ok=True)
(TEST_HOME / "postgresql.conf").write_text("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n")

from config.settings import *  # noqa: E402, F403 - the environment had to be set first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, not safe
