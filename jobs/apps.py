"""Django application "jobs": projects, jobs, the ledger and everything that changes them."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import actors  # noqa: F401  registers them with the broker
        from jobs.api.idempotency import KeyExpiry
        from jobs.postgres import id_arrays  # noqa: F401  registers the lookup `any`
        from jobs.registry import chores

        chores.register(KeyExpiry())
