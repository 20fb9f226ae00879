"""What people and programs do to whole jobs: submit, cancel, pause, retry, clean up, delete; one use case a function.

In: a job's id, who asks and why. Out: a frozen receipt, or an error that says what to do. Open `lifecycle` first.
"""
