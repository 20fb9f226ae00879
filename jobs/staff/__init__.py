"""Jobs in the admin: lists, pages, and actions that show exact numbers before they do anything.

In: requests of staff. Out: one service called, its receipt as a message. `confirmed_actions` is the file to open first:
preview, frozen set, confirmation. `job_actions` is the table of what staff can do; `jobs`, `items`, `lanes` and `keys`
are the pages; `tables` and `cells` draw them.
"""
