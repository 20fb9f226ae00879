"""Which actors there are, by name, and the queue that each of them listens to."""

#: Actor → queue. Control work has a queue and threads of its own, so that slow hosts never delay it.
ACTOR_QUEUES: dict[str, str] = {
    "run_slice": "work",
    "heal": "control",
    "finish_removal": "control",
    "drain_vectors": "control",
    "audit_slice": "work",
}
