"""The sample site: a small invented company, served on loopback, whose every answer is known beforehand."""

from config.demo.sample_site.manifest import Manifest, Outcome
from config.demo.sample_site.server import SampleSite, SeenRequest

__all__ = ["Manifest", "Outcome", "SampleSite", "SeenRequest"]
