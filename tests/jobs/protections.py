"""The rules of `jobs` that answer reproduced interleavings and crashes, each with the test that guards it."""

from tests.prove import Change, Protection

CLAIMS = "jobs/ledger/claims.py"
ITEMS = "jobs/ledger/items.py"
MOVES = "jobs/ledger/moves.py"
EXPIRY = "jobs/ledger/expiry.py"
SETTLING = "jobs/ledger/settle.py"
LANES = "jobs/ledger/lanes.py"
ENDING = "jobs/control/end.py"
SUBMIT = "jobs/control/submit.py"
CANCEL = "jobs/control/cancel.py"
SLICE = "jobs/worker/slice.py"
HEALING = "jobs/worker/healing.py"
RUNNER = "jobs/worker/runner.py"
TRANSACTIONS = "jobs/postgres/transactions.py"
STORABLE = "jobs/postgres/text.py"
WAKE = "jobs/messages/wake.py"
ACTORS = "jobs/actors.py"
NAMES = "jobs/messages/names.py"
CONFIRMED = "jobs/staff/confirmed_actions.py"
IDEMPOTENCY = "jobs/api/idempotency.py"

LOCK = Change(MOVES, "WHERE id = %s FOR NO KEY UPDATE", "WHERE id = %s")
FENCE_ROWS = Change(SETTLING, "leases.get(outcome.claim.id) == outcome.claim.lease", "outcome.claim.id in leases")
FENCE_WRITE = Change(SETTLING, "WHERE w.id = d.id AND w.lease = d.lease", "WHERE w.id = d.id")


def rule(rule_id: str, sentence: str, test: str, *changes: Change) -> Protection:
    """Return the protection; `test` is file::test below tests/jobs."""
    return Protection(rule_id, sentence, changes, f"tests/jobs/{test}")


PROTECTIONS = [
    rule(
        "plan-with-first-items",
        "The first items are inserted in the transaction that creates the job: one being planned never looks done.",
        "control/test_races_of_jobs.py::test_a_job_being_planned_never_looks_finished",
        Change(
            SUBMIT,
            "    with transaction.atomic():\n        project_require",
            "    if True:\n        project_require",
        ),
    ),
    rule(
        "lane-one-slice",
        "One slice at a time works a lane.",
        "worker/test_runner.py::test_one_slice_at_a_time_serves_a_lane",
        Change(
            LANES,
            "WHERE id = %s AND paused_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())",
            "WHERE id = %s AND paused_at IS NULL",
        ),
    ),
    rule(
        "lane-in-turn",
        "A lane serves all its running jobs, least recently served first, so nobody starves.",
        "ledger/test_ledger.py::test_a_lane_serves_its_jobs_in_turn",
        Change(CLAIMS, "ORDER BY j.id <= COALESCE(", "ORDER BY j.id IS NULL, COALESCE("),
    ),
    rule(
        "lane-stays-ours",
        "A slice prolongs its lane's lease while it only waits, too.",
        "worker/test_slice_waits.py::test_the_lane_stays_ours_while_waiting",
        Change(SLICE, "        await self._check(worker)  # also while it only waits: the lane must stay ours\n"),
    ),
    rule(
        "claim-once",
        "Two claimers never share an item.",
        "ledger/test_races.py::test_two_claimers_never_share_an_item",
        Change(CLAIMS, " FOR UPDATE SKIP LOCKED"),
    ),
    rule(
        "claim-not-skipped",
        "What a claim picks is locked and looked at again: a skipped item is never claimed.",
        "ledger/test_races.py::test_a_skipped_item_is_never_claimed",
        Change(CLAIMS, " FOR UPDATE SKIP LOCKED"),
    ),
    rule(
        "claim-recheck",
        "The job's status is looked at again after the claim was committed.",
        "worker/test_slice_stops.py::test_what_happened_between_choosing_and_claiming_is_noticed[job_pause]",
        Change(SLICE, "await self._patiently(job_status, job_id)", "JobStatus.RUNNING"),
    ),
    rule(
        "claim-page-limit",
        "Two claimers never exceed the page limit together.",
        "ledger/test_races.py::test_two_lanes_never_exceed_the_page_limit",
        Change(
            CLAIMS,
            '    job = job_lock(asked["job"])\n'
            "    if job is None or job.status is not JobStatus.RUNNING or job.cancel_requested_at is not None:\n"
            "        return []\n",
        ),
    ),
    rule(
        "claim-page-limit-of-a-running-job",
        "A claim that waited for a cancel takes nothing of the job, though some of it still is pending.",
        "ledger/test_races.py::test_a_claim_that_waited_for_a_cancel_takes_nothing_of_the_job",
        Change(CLAIMS, " or job.status is not JobStatus.RUNNING or job.cancel_requested_at is not None"),
    ),
    rule(
        "settle-living-job",
        "A settle requires running, paused or cancelling: a worker whose job is deleting writes nothing anywhere.",
        "control/test_races_of_jobs.py::test_settle_against_deleting",
        Change(SETTLING, "if job is None or job.status not in SETTLING_JOB:", "if job is None:"),
    ),
    rule(
        "settle-locks-job",
        "A settle locks the job row before it looks at the status.",
        "control/test_races_of_jobs.py::test_settle_against_deleting",
        LOCK,
    ),
    rule(
        "settle-fenced",
        "A worker that lost its lease writes nothing anywhere.",
        "ledger/test_races.py::test_a_worker_with_an_old_lease_writes_nothing",
        FENCE_ROWS,
        FENCE_WRITE,
    ),
    rule(
        "settle-nul",
        "Text is stripped of NUL.",
        "ledger/test_settling.py::test_nul_and_lone_surrogates_are_stripped_from_results",
        Change(STORABLE, 'text = text.replace("\\x00", "")', "pass"),
    ),
    rule(
        "settle-culprit-alone",
        "On a DataError the batch is settled item by item and the culprit fails alone.",
        "ledger/test_settling.py::test_a_refused_value_fails_alone",
        Change(
            SETTLING,
            "[outcomes_settle(job_id, [outcome]) for outcome in outcomes]",
            "[_settle_culprit(job_id, outcome, ValueError('?')) for outcome in outcomes]",
        ),
    ),
    rule(
        "settle-outage",
        "An outage in the settle is no item's fault: it is raised, and the lease still holds.",
        "ledger/test_settling.py::test_an_outage_is_raised_and_blamed_on_no_item",
        Change(SETTLING, "    except (OperationalError, InterfaceError):\n        raise\n"),
    ),
    rule(
        "end-after-settle",
        "After each settle a second transaction looks for remaining work: the job ends without healing.",
        "worker/test_runner.py::test_a_slice_works_a_job_to_its_end",
        Change(
            SLICE,
            "            await self._patiently(end.job_end_if_done, job_id)\n        self.alone",
            "        self.alone",
        ),
    ),
    rule(
        "end-after-release",
        "After each release, too.",
        "worker/test_worker.py::test_a_shutdown_before_the_slice_noticed_a_cancel_ends_the_job",
        Change(SLICE, "            await self._end_all({claim.job_id for claim in unfinished})\n"),
    ),
    rule(
        "end-new-statement",
        "The end asks what remains in a new statement, once it holds the job's lock.",
        "control/test_races_of_jobs.py::test_an_end_that_waits_for_a_settle_sees_what_it_wrote",
        Change(
            ENDING,
            "    job = job_lock(job_id)\n    if job is None:\n        return None\n    # Each",
            "    left = _remaining(job_id)\n"
            "    job = job_lock(job_id)\n    if job is None:\n        return None\n    # Each",
        ),
        Change(ENDING, "    if _remaining(job_id):\n        return None", "    if left:\n        return None"),
    ),
    rule(
        "end-one-question",
        "The end asks for claimed and pending items in one statement: what changes sides between two is not missed.",
        "control/test_races_of_jobs.py::test_a_claim_between_two_statements_of_the_end_leaves_the_job_running",
        Change(
            ENDING,
            'return _true(f"SELECT {_CLAIMED} OR {_PENDING}", job_id)',
            'return _true(f"SELECT {_CLAIMED}", job_id) or _true(f"SELECT {_PENDING}", job_id)',
        ),
    ),
    rule(
        "cancel-released-meanwhile",
        "A cancel ends the job only if nothing is pending either: an item given back after its skip is no end.",
        "control/test_races_of_jobs.py::test_a_release_between_two_statements_of_a_cancel_is_skipped_by_the_end",
        Change(CANCEL, "if not counted.unfinished:", 'if not counted.states.get("claimed"):'),
    ),
    rule(
        "end-cancelled-released-meanwhile",
        "Nor does the end of a cancelled job overlook such an item.",
        "control/test_races_of_jobs.py::test_a_release_between_two_statements_of_a_cancelled_end_leaves_nothing_open",
        Change(
            ENDING,
            'None if _remaining(job_id) else job_end(job, JobStatus.CANCELLED, action="cancelled")',
            'None if _true(f"SELECT {_CLAIMED}", job_id) else job_end(job, JobStatus.CANCELLED, action="cancelled")',
        ),
    ),
    rule(
        "force-one-statement",
        "A force skips pending and claimed items in one statement: one given back meanwhile does not escape.",
        "control/test_races_of_jobs.py::test_a_release_in_the_midst_of_a_force_is_skipped_all_the_same",
        Change(
            CANCEL,
            "skipped = items_skip(job_id, claimed_too=force)",
            "skipped = items_skip(job_id)\n    skipped += items_skip(job_id, claimed_too=True) if force else 0",
        ),
        Change(ENDING, "(state = 'pending' OR state = 'claimed')", "state = 'claimed'"),
    ),
    rule(
        "cancel-in-steps",
        "Workers learn of the cancel of a very large job at once: it skips a step of it, not the whole.",
        "control/test_cancel_in_steps.py::test_the_cancel_itself_skips_one_step_and_sends_healing_for_the_rest",
        Change(ENDING, "if not cursor.fetchone()[0]:", "if cursor.fetchone():"),
    ),
    rule(
        "cancel-rest-heals",
        "What a step of a cancel leaves is skipped by healing, which is sent at once.",
        "control/test_cancel_in_steps.py::test_the_cancel_itself_skips_one_step_and_sends_healing_for_the_rest",
        Change(
            CANCEL,
            "or given back after it\n        wake.healing_wake()",
            "or given back after it\n        pass",
        ),
    ),
    rule(
        "cancel-step-commits",
        "Healing skips such a job in steps that each commit: no lock on it is held for the whole.",
        "control/test_cancel_in_steps.py::test_the_cancel_itself_skips_one_step_and_sends_healing_for_the_rest",
        Change(ENDING, "    while step := retried(", "    if step := retried("),
    ),
    rule(
        "abandoned-work-ends",
        "Work on a CPU thread ends soon after nobody waits for it any more.",
        "worker/test_cpu.py::test_work_that_nobody_waits_for_ends_at_its_next_step",
        Change("jobs/worker/cpu.py", "        abandoned.set()\n", "        pass\n"),
    ),
    rule(
        "settled-reaches-the-disk",
        "What is written under a job's lock waits for the disk, whatever the server is told.",
        "ledger/test_settling.py::test_what_is_written_under_a_jobs_lock_waits_for_the_disk",
        Change(MOVES, "'off', 'on'), true)", "'off', 'off'), true)"),
    ),
    rule(
        "lane-pause-noticed",
        "Who serves a lane notices its pause at once, not with the next heartbeat.",
        "control/test_lane_pausing.py::test_what_is_in_flight_is_given_back_and_done_after_the_resume",
        Change(SLICE, "            self.stopping = True  # what is in hand is given back", "            pass"),
    ),
    rule(
        "end-once",
        "Two last workers that look at the same instant end the job once and chain one child.",
        "control/test_races_of_jobs.py::test_two_ends_at_once_chain_exactly_one",
        LOCK,
    ),
    rule(
        "end-or-cancel",
        "Completion against cancel: exactly one wins, and the reply says which.",
        "control/test_races_of_jobs.py::test_completion_first_then_cancel",
        LOCK,
    ),
    rule(
        "end-cancelled-chains-nothing",
        "A cancelled crawl never spawns an extraction.",
        "control/test_races_of_jobs.py::test_a_cancel_with_work_in_flight_spawns_nothing_either",
        Change(ENDING, "    if to is not JobStatus.CANCELLED:\n", "    if to:\n"),
    ),
    rule(
        "add-locks-job",
        "Adding items locks the job row.",
        "control/test_races_of_jobs.py::test_a_url_added_first_is_skipped_by_the_cancel",
        LOCK,
    ),
    rule(
        "add-not-after-cancel",
        "No URL slips in behind a cancel.",
        "control/test_races_of_jobs.py::test_no_url_slips_in_behind_a_cancel",
        Change(
            ITEMS,
            "if job.status not in GROWING_JOB or job.cancel_requested_at is not None:",
            "if False:",
        ),
    ),
    rule(
        "retry-deadlocks",
        "Deadlocks (40P01) are retried.",
        "ledger/test_races.py::test_a_deadlock_is_tried_again",
        Change(TRANSACTIONS, '{"40P01", "40001"}', '{"40001"}'),
    ),
    rule(
        "retry-serialisation",
        "Serialisation failures (40001) are retried.",
        "ledger/test_races.py::test_a_serialisation_failure_is_tried_again",
        Change(TRANSACTIONS, '{"40P01", "40001"}', '{"40P01"}'),
    ),
    rule(
        "order-items",
        "Items are locked in the order of their ids.",
        "ledger/test_races.py::test_a_settle_locks_its_items_in_the_order_of_ids",
        Change(SETTLING, "ORDER BY id FOR UPDATE", "FOR UPDATE"),
    ),
    rule(
        "order-lanes",
        "Lanes are woken in the order of their ids, so that no request fails after its commit.",
        "ledger/test_races.py::test_waking_many_lanes_from_two_sides_cannot_deadlock",
        Change(WAKE, "ORDER BY id FOR NO KEY UPDATE", "ORDER BY id DESC FOR NO KEY UPDATE"),
    ),
    rule(
        "lost-alone",
        "An item that lost a lease is claimed alone.",
        "ledger/test_ledger.py::test_an_item_that_lost_its_lease_is_claimed_alone",
        Change(CLAIMS, "(lost_leases > 0) = %(lost)s", "%(lost)s IS NOT NULL"),
    ),
    rule(
        "lost-three-times",
        "After three lost leases the item fails as worker_lost.",
        "worker/test_healing.py::test_the_third_lost_lease_is_the_last",
        Change(EXPIRY, "lost_leases + 1 >= %(limit)s AS is_last", "lost_leases + 1 > %(limit)s AS is_last"),
    ),
    rule(
        "temporary-given-back",
        "An item whose work met a temporary error is given back, not failed.",
        "worker/test_slice_waits.py::test_a_temporary_error_gives_the_item_back",
        Change(SLICE, "isinstance(error, QuarryError) and error.is_temporary", "False"),
    ),
    rule(
        "hung-after-cancel",
        "A heartbeat stops 5 s after a cancel: a hung item cannot keep a job cancelling.",
        "worker/test_slice_stops.py::test_a_hung_item_gets_no_more_heartbeats_while_others_do",
        Change(SLICE, "if held.aborted_at is not None and now - held.aborted_at > HUNG_SECONDS:", "if False:"),
    ),
    rule(
        "hung-past-deadline",
        "A heartbeat stops at the item's own deadline, and the lane does not wait for it.",
        "worker/test_slice_stops.py::test_a_deaf_item_past_its_deadline_frees_the_lane",
        Change(SLICE, "return now - held.since > deadline_seconds + HUNG_SECONDS", "return False"),
    ),
    rule(
        "cancel-aborts",
        "Workers look for a cancel every 0.25 s and abort what is in flight.",
        "worker/test_slice_stops.py::test_a_cancel_aborts_sixteen_in_flight_between_two_heartbeats",
        Change(
            SLICE,
            "            self._abort(set(await self._patiently(lanes.jobs_stopping, job_ids)))\n",
            "            pass\n",
        ),
    ),
    rule(
        "cancel-force-fences",
        "Force revokes leases: late writers are fenced out.",
        "ledger/test_races.py::test_force_fences_late_writers",
        Change(CANCEL, "items_skip(job_id, claimed_too=force)", "items_skip(job_id)"),
    ),
    rule(
        "wait-not-spin",
        "A slice with nothing due within 5 s ends with a delayed wake instead of spinning.",
        "worker/test_slice_waits.py::test_nothing_due_soon_ends_the_slice_with_a_delayed_wake",
        Change(SLICE, "if due is None or due > NEAR_SECONDS:", "if due is None:"),
    ),
    rule(
        "wait-delayed-wake",
        "That wake is delayed until the work is due.",
        "worker/test_slice_waits.py::test_nothing_due_soon_ends_the_slice_with_a_delayed_wake",
        Change(RUNNER, "if due <= NEAR_SECONDS and not pause_seconds:", "if not pause_seconds:"),
    ),
    rule(
        "wait-after-a-crash",
        "A slice that broke off is not tried again in a tight circle.",
        "worker/test_runner.py::test_a_worker_that_cannot_be_opened_is_not_tried_in_a_tight_circle",
        Change(RUNNER, "    pause_seconds = NEAR_SECONDS ", "    pause_seconds = 0.0 "),
    ),
    rule(
        "wake-not-lost",
        "A wake-up that comes while a slice ends is not lost.",
        "worker/test_slice_waits.py::test_a_wake_that_comes_while_a_slice_ends_is_not_lost",
        Change(RUNNER, "        _wake_again(lane_id, pause_seconds)\n"),
    ),
    rule(
        "wake-due-only",
        "Lanes are woken again for due work only.",
        "worker/test_healing.py::test_only_lanes_with_due_work_that_nobody_serves_are_woken[lane_not_due-0]",
        Change(HEALING, "AND (w.not_before IS NULL OR w.not_before <= clock_timestamp())"),
    ),
    rule(
        "wake-queued",
        "A lost wake-up of a queued job is sent again.",
        "worker/test_healing.py::test_a_lost_wake_up_of_a_queued_job_is_sent_again",
        Change(HEALING, "j.status IN ('queued', 'running')", "j.status IN ('running')"),
    ),
    rule(
        "heal-single-flight",
        "One healer works at a time.",
        "worker/test_healing.py::test_one_healer_works_at_a_time",
        Change(HEALING, "_heal_everything() if is_alone else _heal_cancelling()", "_heal_everything()"),
    ),
    rule(
        "heal-cancelling-beside",
        "What a cancel left to be skipped does not wait for the next round when another healer is past it.",
        "worker/test_healing.py::test_a_cancel_does_not_wait_for_a_healer_that_is_past_its_job",
        Change(
            HEALING,
            "skipped = _skip_cancelling()\n    ended, errors = _end_jobs([",
            "skipped = 0\n    ended, errors = _end_jobs([",
        ),
    ),
    rule(
        "heal-each-job",
        "A job that cannot be ended keeps no other from healing.",
        "worker/test_healing.py::test_a_job_that_cannot_be_ended_keeps_no_other_from_healing",
        Change(HEALING, "            errors.append(error)\n", "            raise\n"),
    ),
    rule(
        "heal-removals-at-random",
        "Removals that fail again and again keep none of the others waiting.",
        "worker/test_healing_removals.py::test_removals_that_fail_again_and_again_keep_none_waiting",
        Change(HEALING, "ORDER BY random() LIMIT %s", "ORDER BY id LIMIT %s"),
    ),
    rule(
        "run-interrupts",
        "The event loop runs in a helper thread: an interrupt of the worker thread comes through.",
        "worker/test_worker.py::test_an_interrupt_of_busy_work_comes_through",
        Change(
            RUNNER,
            "_run_in_helper_thread(Slice(lane_id, key, lease, database))",
            "asyncio.run(Slice(lane_id, key, lease, database).run())",
        ),
    ),
    rule(
        "run-fresh-connection",
        "The database thread replaces a lost connection before each job.",
        "worker/test_database_thread.py::test_a_connection_lost_between_two_calls_is_replaced",
        Change("jobs/worker/database_thread.py", "            close_old_connections()  #", "            #"),
    ),
    rule(
        "run-control-apart",
        "Control work has its own queue, so that slow hosts never delay a cleanup.",
        "worker/test_worker.py::test_control_work_has_a_queue_of_its_own",
        Change(NAMES, 'CONTROL_QUEUE = "control"', 'CONTROL_QUEUE = "work"'),
    ),
    rule(
        "run-gives-back",
        "On any exit path the rest is released.",
        "worker/test_worker.py::test_a_shutdown_gives_back_what_is_unfinished",
        Change(SLICE, "            await self._patiently(items_release, unfinished)\n", "            pass\n"),
    ),
    rule(
        "cancel-said-again",
        "A cancel of a job being cancelled already sends the healer, which ends what a dead worker left.",
        "control/test_known_failures.py::test_a_second_cancel_changes_no_number_and_ends_what_a_dead_worker_left",
        Change(CANCEL, "        wake.healing_wake()  #", "        #"),
    ),
    rule(
        "admin-ids-only",
        "Choosing an action selects ids, no rows.",
        "control/test_captured_sql.py::test_an_action_selects_ids_only",
        Change(
            CONFIRMED,
            'list(rows.order_by("pk").values_list("pk", flat=True)[: self.max_selected + 1])',
            '[row.pk for row in rows.order_by("pk")[: self.max_selected + 1]]',
        ),
    ),
    rule(
        "admin-filter-names-only",
        "The list's filter reads the names of projects, not the projects.",
        "control/test_captured_sql.py::test_an_action_selects_ids_only",
        Change("jobs/staff/tables.py", '.order_by("name").values_list("pk", "name"))', ".all()) and []"),
    ),
    rule(
        "removal-row-unread",
        "The job's row is deleted without being read.",
        "control/test_captured_sql.py::test_removing_reads_ids_only_and_never_row_by_row",
        Change(
            "jobs/control/removal_work.py",
            "rows_delete(Job.objects.filter(pk=job_id))",
            "Job.objects.filter(pk=job_id).delete()",
        ),
    ),
    rule(
        "removal-by-chunks",
        "Items are deleted chunk by chunk, not one by one.",
        "control/test_captured_sql.py::test_removing_reads_ids_only_and_never_row_by_row",
        Change("jobs/control/removal_work.py", "ITEMS_PER_DELETE = 5000", "ITEMS_PER_DELETE = 1"),
    ),
    rule(
        "preview-in-one",
        "Of many jobs a preview counts what they made together, not job by job.",
        "control/test_captured_sql.py::test_a_preview_takes_as_many_statements_for_many_jobs",
        Change("jobs/queries/tallies.py", "if len(found) <= ARTIFACTS_PER_JOB:", "if True:"),
    ),
    rule(
        "admin-confirmation-expires",
        "A confirmation page older than an hour is refused: its numbers may long be wrong.",
        "staff/test_confirmed_actions.py::test_a_confirmation_older_than_an_hour_is_refused",
        Change(CONFIRMED, ", max_age=FROZEN_SECONDS"),
    ),
    rule(
        "admin-same-sentence",
        "The admin refuses in the words of the service.",
        "staff/test_matrix_admin.py::test_every_button_in_every_situation",
        Change(CONFIRMED, "refused.append((pk, error.detail))", 'refused.append((pk, "This is not possible."))'),
    ),
    rule(
        "admin-preview-changes-nothing",
        "Nothing happens before it is confirmed.",
        "staff/test_matrix_admin.py::test_every_button_in_every_situation",
        Change(
            CONFIRMED,
            "        return self._asked(request, action, ids)\n",
            '        self._run(request, action, ids, "unasked")\n        return self._asked(request, action, ids)\n',
        ),
    ),
    rule(
        "rest-same-sentence",
        "REST passes on the sentence that says what to do next.",
        "api/test_matrix_rest.py::test_every_request_in_every_situation",
        Change("config/web/problems.py", "detail=error.detail, title=title", "detail=title, title=title"),
    ),
    rule(
        "rest-key-lives-a-day",
        "An idempotency key answers for a day, and is new again after it.",
        "api/test_idempotency_keys.py::test_the_reply_is_kept_for_a_day_and_then_the_key_is_new_again",
        Change(
            IDEMPOTENCY,
            "    WHERE known.created_at < clock_timestamp() - make_interval(hours => %s)\n",
            "    WHERE %s < 0\n",
        ),
    ),
    rule(
        "rest-key-lives-no-less",
        "Within that day no request with the same key creates anything.",
        "api/test_idempotency_keys.py::test_the_reply_is_kept_for_a_day_and_then_the_key_is_new_again",
        Change(
            IDEMPOTENCY,
            "    WHERE known.created_at < clock_timestamp() - make_interval(hours => %s)\n",
            "    WHERE %s > 0\n",
        ),
    ),
    rule(
        "rest-keys-expire",
        "Keys are removed once they have had their day, and not before.",
        "api/test_idempotency_keys.py::test_what_is_removed_is_what_would_be_new_again",
        Change(IDEMPOTENCY, ' WHERE created_at < clock_timestamp() - make_interval(hours => %s)"', ' WHERE %s > 0"'),
    ),
    rule(
        "rest-waits-for-the-end",
        "Whoever prefers to wait for a cancel is told how it ended.",
        "api/test_matrix_rest.py::test_whoever_waits_is_told_the_end",
        Change("jobs/api/cancel.py", "    if headers.prefer:\n", "    if False:\n"),
    ),
    rule(
        "command-refusals-are-three",
        "A command that was refused ends with 3.",
        "cli/test_matrix_commands.py::test_every_command_in_every_situation",
        Change("jobs/cli/base.py", "        return EXIT_REFUSED\n", "        return EXIT_FAILED\n"),
    ),
    rule(
        "rest-fields-of-all-owners",
        "A reply with fields of the owners is never defined before all of them have registered.",
        "api/test_owner_fields.py::test_a_reply_defined_too_early_is_refused",
        Change("jobs/api/owner_fields.py", "        if not apps.ready:\n", "        if False:\n"),
    ),
]
