"""Django application "extraction": schemas, extracted values, passages, vectors and search."""

from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    label = "extraction"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crawling.sources import dependants
        from extraction.audit.work import AuditWork
        from extraction.owners.extraction_owner import ExtractionOwner
        from extraction.passages.rows import SourceKnowledge
        from extraction.vectors.vector_owner import VectorOwner
        from extraction.vectors.vector_work import VectorWork
        from extraction.work.kind import Extract
        from jobs.registry import chores, kinds, owners

        kinds.register(Extract())
        dependants.register(SourceKnowledge())
        chores.register(VectorWork())
        chores.register(AuditWork())
        owners.register(ExtractionOwner())
        owners.register(VectorOwner())
