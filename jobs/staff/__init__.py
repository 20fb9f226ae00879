"""The admin's pages: lists, job pages, and actions that show exact counts before they do anything.

In: requests of staff. Out: one service called, its receipt as a message. Open `jobs` first.
"""
