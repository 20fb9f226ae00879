"""Staff for the tests of the admin: logged-in clients, and what they press."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.models import Job

LIST = "/admin/jobs/job/"
ACT = "/admin/jobs/job/act/"
EVERYTHING = ("view_job", "cancel_job", "retry_job", "cleanup_job", "delete_job")


def staff(*codenames: str) -> Client:
    """Return the client of a new member of staff with the permissions named."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def choose(client: Client, name: str, *jobs: Job, across: bool = False) -> Any:
    """Press the button of an action on the list, with these jobs ticked."""
    page = client.get(LIST).content.decode()
    names = re.findall(r'<input type="hidden" name="action" value="([a-z_]+)"', page)
    form = {"action": names, "index": names.index(name), "_selected_action": [str(job.pk) for job in jobs]}
    return client.post(LIST, form | {"select_across": int(across)})


def frozen(response: Any) -> str:
    """Return the signed set of ids of a confirmation."""
    assert response.status_code == 200, response
    return str(response.context_data["frozen"])


def confirm(client: Client, name: str, token: str, reason: str = "because") -> list[str]:
    """Confirm; return what the page then says."""
    answer = client.post(ACT, {"do": name, "frozen": token, "reason": reason}, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def selected_columns(queries: CaptureQueriesContext, table: str) -> list[str]:
    """Return what each SELECT from the table asks for."""
    statements = [query["sql"] for query in queries.captured_queries]
    wanted = [re.search(rf'^SELECT (.*?) FROM "{table}"', sql, re.DOTALL) for sql in statements]
    return [match[1] for match in wanted if match]
