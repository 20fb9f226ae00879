"""The app that composes the others: it owns the project-wide commands and templates."""

from django.apps import AppConfig


class CompositionConfig(AppConfig):
    """Registers `config`, so that its management commands are found."""

    name = "config"
    verbose_name = "Quarry"
