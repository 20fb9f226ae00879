"""What people and programs do to jobs: one use case per file, one transaction per call.

In: a job's id, who asks, and why. Out: a frozen receipt with exact numbers, or an error that says what to do next.
`cancel` is the file to open first, then `end`, where every job ends. `submit`, `pause` and `retry` are built alike.
`removal` asks for a cleanup or deletion and `removal_work` carries it out; `bulk` and `retention` act on many jobs.
"""
