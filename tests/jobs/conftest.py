"""What the tests of `jobs` share: none of them sends a message to the broker of the process."""

import pytest

from tests.helpers.sent_messages import Sent


@pytest.fixture(autouse=True)
def messages_are_kept(sent: Sent) -> None:
    """All messages sent in a test go to a broker of its own."""
