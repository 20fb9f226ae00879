"""Django application "extraction": schemas, extracted values, passages, vectors and search."""

from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    label = "extraction"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crawling.sources import dependants
        from extraction.artifacts import ExtractionOwner
        from extraction.audit_work import AuditWork
        from extraction.kind import Extract
        from extraction.passages import SourceKnowledge
        from extraction.vector_owner import VectorOwner
        from extraction.vector_work import VectorWork
        from jobs.registry import background, kinds, owners

        kinds.register(Extract())
        dependants.register(SourceKnowledge())
        background.register(VectorWork())
        background.register(AuditWork())
        owners.register(ExtractionOwner())
        owners.register(VectorOwner())
