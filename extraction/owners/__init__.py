"""What jobs and sources leave behind here: counted, given to the project, removed.

In: ids of jobs, or of sources that `crawling` changes. Out: exact receipts, written inside the caller's transaction.
Open `extraction_owner` first.

    extraction_owner    the extractions of a job
    vector_owner        its points, which follow the rows and are counted in the store itself
    source_dependant    passages and extractions of sources that are stored, changed or removed
"""
