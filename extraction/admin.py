"""The pages of this app in the admin, split by idea; importing them registers them."""

from extraction.staff import knowledge, projects

__all__ = ["knowledge", "projects"]
