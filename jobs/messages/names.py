"""The queues, and the actors of this application, by the names under which the broker knows them.

Whoever sends a message needs the name alone, so that nothing below `jobs.actors` imports it. Other applications
name their own actors beside what wakes them.
"""

WORK_QUEUE = "work"  #: what fetches and extracts
CONTROL_QUEUE = "control"  #: what heals and removes; its threads are its own, so that slow hosts never delay it

RUN_SLICE = "run_slice"
HEAL = "heal"
FINISH_REMOVAL = "finish_removal"
