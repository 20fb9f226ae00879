"""The pages of this app in the admin, split by idea; importing them registers them."""

from jobs.staff import admin_items, admin_jobs, admin_keys, admin_lanes

__all__ = ["admin_items", "admin_jobs", "admin_keys", "admin_lanes"]
