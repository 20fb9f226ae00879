"""What is to be extracted: field groups and fields, presets, selectors, and the schema of a project.

In: JSON or a preset's name. Out: a checked schema, or every fault with its path. Open `schema` first.
"""
