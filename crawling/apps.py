"""Django application "crawling": sources, hosts, and the kinds crawl and scrape."""

from django.apps import AppConfig


class CrawlingConfig(AppConfig):
    name = "crawling"
    label = "crawling"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crawling.sources.owner import SourceOwner
        from crawling.work.kind import Crawl, Scrape
        from jobs.registry import kinds, owners

        kinds.register(Crawl())
        kinds.register(Scrape())
        owners.register(SourceOwner())
