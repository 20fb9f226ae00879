"""The sample site: a small invented company, served on loopback, whose every answer is known beforehand.

In: nothing. Out: a server, and the manifest of what a complete crawl must find. `server` is the file to open first,
then `expected`; `rendering` and `pages/` make the documents.
"""

from config.demo.sample_site.manifest import ExpectedOutcome, Manifest
from config.demo.sample_site.server import SampleSite, SeenRequest

__all__ = ["ExpectedOutcome", "Manifest", "SampleSite", "SeenRequest"]
