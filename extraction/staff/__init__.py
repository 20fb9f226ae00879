"""The admin's pages for projects and for what is known.

In: requests of staff. Out: lists, and a schema that can be edited. Open `admin_knowledge` first.
"""
