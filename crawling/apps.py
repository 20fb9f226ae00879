"""Django application "crawling": sources, hosts, and the job kinds crawl and scrape."""

from django.apps import AppConfig

from jobs.registry import kinds, owners


class CrawlingConfig(AppConfig):
    name = "crawling"
    label = "crawling"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what crawling adds to `jobs`: two kinds and the owner of sources."""
        # Both import models, which Django allows only once all applications are loaded.
        from crawling.sources.owner import SourceOwner
        from crawling.work.kind import Crawl, Scrape

        kinds.register(Crawl())
        kinds.register(Scrape())
        owners.register(SourceOwner())
