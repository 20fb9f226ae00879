"""Django application "jobs": projects, jobs, the ledger and everything that moves them."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import actors  # noqa: F401  declares them at the broker
        from jobs.api.idempotency import KeyExpiry
        from jobs.postgres import id_arrays  # noqa: F401  registers the lookup `any`
        from jobs.registry import chores

        chores.register(KeyExpiry())
