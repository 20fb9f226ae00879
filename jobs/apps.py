"""Django application "jobs": projects, jobs, the ledger and everything that moves them."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import actors  # noqa: F401  declares the actors at the broker, registers the lookup
