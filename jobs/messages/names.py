"""The queues, and the actors of this application, by the names under which the broker knows them.

A sender needs only the name, so that nothing below `jobs.actors` imports it. Other applications name their own
actors beside the code that wakes them.
"""

WORK_QUEUE = "work"  #: for working on items
CONTROL_QUEUE = "control"  #: for healing and removals; it has its own threads, so that slow hosts never delay it

RUN_SLICE = "run_slice"
HEAL = "heal"
FINISH_REMOVAL = "finish_removal"
