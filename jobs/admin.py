"""The pages of this app in the admin, split by subject; importing them registers them."""

from jobs.staff import items, jobs, keys, lanes

__all__ = ["items", "jobs", "keys", "lanes"]
