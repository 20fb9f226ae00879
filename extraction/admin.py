"""The pages of this app in the admin, split by idea; importing them registers them."""

from extraction.staff import admin_knowledge, admin_projects

__all__ = ["admin_knowledge", "admin_projects"]
