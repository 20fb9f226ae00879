"""What is to be extracted: field groups and fields, their versions, and the projects they belong to.

In: JSON, or the name of a preset. Out: a checked `ExtractionSchema`, or one sentence that says where it is wrong and
what to do. Open `model` first; it knows no Django.

    model               the schema's format: `ExtractionSchema`, `FieldGroup`, `FieldSpec`, `FieldType`
    validation_words    what pydantic finds wrong, as a sentence
    selectors           CSS and XPath selectors, compiled and read
    presets             the bundled schemas, from `extraction/presets/*.yaml`
    versions            the versions of a project's schema
    projects            projects: created, read, changed, marked deleted
"""
