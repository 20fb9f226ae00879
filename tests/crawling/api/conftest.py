"""What the tests of the REST API share: a client of a user who may do everything."""

from tests.helpers.api_client import api

__all__ = ["api"]
