"""The admin's pages for projects and for what is known.

In: requests of staff. Out: lists and details, and projects created or changed through the services of `schema`. Open
`knowledge` first: extractions, passages, schema versions and the outbox; `projects` has the forms for projects.
"""
