"""What the tests of `config` share: the API's client, the factories of jobs, a recording broker, a second thread."""

from tests.helpers.api_client import api, api_of
from tests.helpers.factories import make_job, probe, project
from tests.jobs.conftest import in_thread, sent

__all__ = ["api", "api_of", "in_thread", "make_job", "probe", "project", "sent"]
