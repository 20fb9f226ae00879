"""The job kind extract: which sources it works on, the cascade on each, and what is stored.

In: a request to extract; later the claims of its job. Out: outcomes, each with the extractions to store. Open
`worker` first.

    submission    checks the request and creates the job
    kind          its items, settling, and the extraction that follows a crawl; registered with `jobs`
    worker        runs the cascade on one source
    store         what was found, stored inside the settling transaction
    listing       sources and extractions of a project, page by page
"""
