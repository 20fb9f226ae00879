"""Django application "extraction": schemas, extracted values, passages, vectors and search."""

from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    label = "extraction"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported here: Django allows no models before all apps are loaded.
        from crawling.sources import dependants
        from extraction import actors  # noqa: F401  declares the actors at the broker
        from extraction.audit.chore import AuditChore
        from extraction.owners.extraction_owner import ExtractionOwner
        from extraction.owners.source_dependant import SourceDependant
        from extraction.owners.vector_owner import VectorOwner
        from extraction.vectors.chore import VectorChore
        from extraction.work.kind import Extract
        from jobs.registry import chores, kinds, owners

        kinds.register(Extract())
        dependants.register(SourceDependant())
        chores.register(VectorChore())
        chores.register(AuditChore())
        owners.register(ExtractionOwner())
        owners.register(VectorOwner())
