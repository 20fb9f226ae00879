"""Django application "extraction": schemas, extracted values, passages, vectors and search."""

from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    label = "extraction"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crawling.sources import dependants
        from extraction.audit.audit_work import AuditWork
        from extraction.owners.artifacts import ExtractionOwner
        from extraction.passages.passages import SourceKnowledge
        from extraction.vectors.vector_owner import VectorOwner
        from extraction.vectors.vector_work import VectorWork
        from extraction.work.kind import Extract
        from jobs.registry import background, kinds, owners

        kinds.register(Extract())
        dependants.register(SourceKnowledge())
        background.register(VectorWork())
        background.register(AuditWork())
        owners.register(ExtractionOwner())
        owners.register(VectorOwner())
