"""The rules of `extraction` that answer reproduced interleavings and crashes, each with the test that guards it.

What the triggers protect is not listed: they live in a migration, and these runs reuse one database.
"""

from tests.prove import Change, Protection

KIND = "extraction/work/kind.py"
WORKER = "extraction/work/worker.py"
STORE = "extraction/work/store.py"
DEPENDANT = "extraction/owners/source_dependant.py"
POINTS = "extraction/vectors/points.py"
OUTBOX = "extraction/vectors/outbox.py"
STATEMENTS = "extraction/vectors/outbox_statements.py"
APPLY = "extraction/vectors/apply.py"
ACTORS = "extraction/actors.py"
DRAIN = "extraction/vectors/drain.py"
AUDIT = "extraction/audit/compare.py"
AUDIT_STATE = "extraction/audit/state.py"
AUDIT_CHORE = "extraction/audit/chore.py"
AUDIT_SLICES = "extraction/audit/slices.py"


def rule(rule_id: str, sentence: str, test: str, *changes: Change) -> Protection:
    """Return the protection; `test` is file::test below tests/extraction, or a whole path."""
    return Protection(rule_id, sentence, changes, test if test.startswith("tests/") else f"tests/extraction/{test}")


PROTECTIONS = [
    rule(
        "extract-rechecks-hash",
        "Extraction settles re-check the content hash: what changed meanwhile is written from no old text.",
        "work/test_races.py::test_a_settle_waits_for_a_crawl_that_writes_the_source",
        Change(KIND, "if hashes.get(write.source_id) == write.content_hash]", "if write.source_id in hashes]"),
    ),
    rule(
        "extract-pending-again",
        "A source that changed meanwhile is pending again, and then read from the new text.",
        "work/test_races.py::test_a_page_that_changes_meanwhile_is_read_again",
        Change(KIND, "    if hashes[write.source_id] != write.content_hash:", "    if False:"),
    ),
    rule(
        "extract-locks-source",
        "Extraction settles lock their source before they look at its hash.",
        "work/test_races.py::test_a_settle_waits_for_a_crawl_that_writes_the_source",
        Change(
            STORE,
            "Source.objects.select_for_update(no_key=True).filter(pk__any=source_ids)",
            "Source.objects.filter(pk__any=source_ids)",
        ),
    ),
    rule(
        "extract-source-gone",
        "Extract items of a vanished source become skipped(source_gone).",
        "work/test_races.py::test_a_source_that_vanishes_meanwhile_is_skipped",
        Change(
            KIND,
            "        return outcome.turned(ItemState.SKIPPED, Reason.SOURCE_GONE.value)\n",
            "        return outcome\n",
        ),
    ),
    rule(
        "extract-changed-removes",
        "Changed content removes the extractions made from it.",
        "tests/crawling/sources/test_recrawl.py::test_changed_content_replaces_passages_and_removes_extractions",
        Change(
            DEPENDANT,
            "        Extraction.objects.filter(source_id__any=list(prepared)).delete()\n",
        ),
    ),
    rule(
        "extract-replaces",
        "Two extractions of one source never leave both results.",
        "work/test_races.py::test_two_extractions_of_one_source_at_once",
        Change(
            STORE,
            "        Extraction.objects.filter(source_id=write.source_id, field_group__in=write.groups).delete()\n",
            "",
        ),
        Change(
            STORE, "            Extraction.objects.filter(source_id=write.source_id).delete()\n", "            pass\n"
        ),
    ),
    rule(
        "extract-one-child",
        "A crawl that ends a second time chains no second child.",
        "tests/crawling/work/test_kind.py::test_a_retried_crawl_ends_again_and_what_is_new_is_extracted_too",
        Change(
            KIND,
            "parent_id = None if Job.objects.filter(parent_id=parent.id).exists() else parent.id",
            "parent_id = parent.id",
        ),
    ),
    rule(
        "extract-culprit-alone",
        "A result that PostgreSQL refuses fails alone.",
        "work/test_kind.py::test_a_result_that_cannot_be_stored_fails_alone",
        Change(
            "jobs/ledger/settle.py",
            "[outcomes_settle(job_id, [outcome]) for outcome in outcomes]",
            "[_settle_culprit(job_id, outcome, ValueError('?')) for outcome in outcomes]",
        ),
    ),
    rule(
        "extract-outage-gives-back",
        "A service that stays away ends an item for a reason of its own, not as an error of ours.",
        "work/test_outages.py::test_an_outage_that_does_not_end_fails_the_item_with_its_reason",
        Change(
            WORKER,
            "            return kinds.retryable(claim, Reason.LLM_UNAVAILABLE, detail=error.detail)\n",
            "            raise\n",
        ),
    ),
    rule(
        "extract-nul",
        "Values found are stripped of NUL.",
        "work/test_kind.py::test_nothing_unstorable_is_written",
        Change(STORE, "data=storable(result.data)", "data=result.data"),
    ),
    rule(
        "passage-nul",
        "Passages are cut from text that is stripped of NUL.",
        "owners/test_source_dependant.py::test_nothing_unstorable_reaches_a_passage",
        Change(DEPENDANT, "chunk_markdown(storable_text(page.text)", "chunk_markdown(page.text"),
    ),
    rule(
        "vector-fenced-by-version",
        "A change is removed only if its version still matches.",
        "vectors/test_outbox.py::test_a_change_queued_again_while_applied_is_not_removed",
        Change(STATEMENTS, "c.version = d.version AS is_same", "true AS is_same"),
    ),
    rule(
        "vector-fenced-by-lease",
        "A change is removed only if its lease still matches.",
        "vectors/test_outbox.py::test_only_the_holder_of_the_lease_ends_a_change",
        Change(STATEMENTS, "point_id = d.id AND lease = %(lease)s FOR", "point_id = d.id AND lease IS NOT NULL FOR"),
    ),
    rule(
        "vector-claimed-once",
        "A change held by one drainer is claimed by no other.",
        "vectors/test_outbox.py::test_a_row_deleted_between_claim_and_upsert_leaves_no_orphan",
        Change(
            OUTBOX,
            "WHERE operation = %s AND (lease IS NULL OR lease_until < clock_timestamp())",
            "WHERE operation = %s",
        ),
    ),
    rule(
        "vector-repeated-after-grace",
        "A change whose lease ever expired is applied once more after a grace longer than any late write.",
        "vectors/test_outbox.py::test_late_write_of_a_drainer_that_then_dies_is_repaired_by_the_second_application",
        Change(
            OUTBOX, "    repeated = _end(batch, unsure, ends.REPEAT)", "    repeated = _end(batch, unsure, ends.REMOVE)"
        ),
    ),
    rule(
        "vector-late-is-noted",
        "Claiming a change whose lease ran out notes until when its former holder may still write.",
        "vectors/test_outbox.py::test_late_write_of_a_drainer_that_then_dies_is_repaired_by_the_second_application",
        Change(
            OUTBOX,
            "ELSE clock_timestamp() + make_interval(secs => %s) END",
            "ELSE late_write_until + make_interval(secs => %s) END",
        ),
    ),
    rule(
        "vector-second-look",
        "A drainer that finds its lease lost after writing asks for a second look at the point.",
        "vectors/test_outbox.py::test_a_drainer_that_wrote_late_asks_for_a_second_look",
        Change(OUTBOX, "    points_requeue(lost)\n"),
    ),
    rule(
        "vector-lease-suffices",
        "A drainer sends only while its remaining lease exceeds the store's time-out.",
        "vectors/test_outbox.py::test_nothing_is_sent_when_the_lease_cannot_be_prolonged",
        Change(APPLY, "                return set()  #", "                pass  #"),
    ),
    rule(
        "vector-lease-is-renewed",
        "A lease about to run out is prolonged before anything is sent, and what was lost is not sent.",
        "vectors/test_outbox.py::test_nothing_is_sent_on_a_lease_about_to_run_out",
        Change(APPLY, "            outbox.batch_renew(self._batch)\n"),
    ),
    rule(
        "vector-deletes-alone",
        "Deletes have their own lane and need no embedder.",
        "vectors/test_outbox.py::test_deletes_need_no_embedder",
        Change(DRAIN, "        if operation is VectorOperation.UPSERT:\n", "        if True:\n"),
    ),
    rule(
        "vector-outage-is-lag",
        "A store that is down means lag, never loss: the changes wait.",
        "vectors/test_outbox.py::test_an_outage_leaves_the_rows_for_later",
        Change(APPLY, "        except REFUSALS as error:", "        except (*REFUSALS, *OUTAGES) as error:"),
    ),
    rule(
        "vector-bisects",
        "Upserts bisect: a poisonous row backs off alone.",
        "vectors/test_outbox.py::test_a_poisonous_row_backs_off_alone",
        Change(APPLY, "            if len(ids) == 1:\n", "            if True:\n"),
    ),
    rule(
        "vector-back-off-ceiling",
        "The back-off of a refused row has a ceiling.",
        "vectors/test_outbox.py::test_the_back_off_of_a_refused_row_has_a_ceiling",
        Change(OUTBOX, "longest=MAX_BACKOFF_SECONDS", "longest=1e9"),
    ),
    rule(
        "index-characters",
        "No more of a row is indexed than the limit.",
        "vectors/test_points.py::test_no_more_is_indexed_than_the_limit",
        Change(POINTS, "context=context.strip())[:MAX_INDEX_CHARACTERS]", "context=context.strip())"),
        Change(POINTS, "for line in lines if line)[:MAX_INDEX_CHARACTERS]", "for line in lines if line)"),
    ),
    rule(
        "structured-data-nodes",
        "No more nodes of a page's structured data are kept than the limit.",
        "evidence/test_nodes.py::test_no_more_nodes_are_kept_than_the_limit",
        Change("extraction/evidence/nodes.py", "while waiting and len(self.nodes) < MAX_NODES:", "while waiting:"),
    ),
    rule(
        "vector-given-back",
        "On any way out, what did not end is given back.",
        "vectors/test_outbox.py::test_an_interrupt_gives_everything_back",
        Change(
            DRAIN,
            "        outbox.changes_release(batch, delay_seconds=OUTAGE_DELAY_SECONDS, error=unavailable)\n",
            "        pass\n",
        ),
    ),
    rule(
        "vector-no-transaction",
        "Nothing is drained inside a transaction.",
        "vectors/test_outbox.py::test_nothing_is_drained_inside_a_transaction",
        Change(OUTBOX, "    if connection.in_atomic_block:\n", "    if False:\n"),
    ),
    rule(
        "vector-vanished-row",
        "An upsert whose row is gone becomes a delete.",
        "vectors/test_outbox.py::test_a_vanished_row_without_a_delete_is_deleted",
        Change(APPLY, "        self.applied.turned += outbox.changes_turn(self._batch, vanished)\n"),
    ),
    rule(
        "vector-truncate-audited",
        "TRUNCATE queues an audit, which the next drain serves.",
        "audit/test_compare.py::test_truncate_is_served_by_the_next_drain",
        Change(ACTORS, "            requests.requests_serve()\n", "            pass\n"),
    ),
    rule(
        "audit-looks-twice",
        "What differs must do so twice before it counts.",
        "audit/test_slices.py::test_a_fault_must_show_twice",
        Change(AUDIT, "for _ in range(LOOKS):", "for _ in range(1):"),
    ),
    rule(
        "audit-lag-is-no-fault",
        "A point whose row's delete waits in the outbox is lag.",
        "audit/test_compare.py::test_lag_is_not_a_fault",
        Change(
            AUDIT, "sorted(set(ids) - _existing_rows(ids) - _waiting(ids))", "sorted(set(ids) - _existing_rows(ids))"
        ),
        Change(
            AUDIT,
            "return sorted(set(still) - _existing_rows(still) - _waiting(still)) if still else []",
            "return still",
        ),
    ),
    rule(
        "audit-one-at-a-time",
        "Two background audits never run at once.",
        "audit/test_slices.py::test_one_at_a_time",
        Change(AUDIT_SLICES, "if not is_alone or not hours:", "if not hours:"),
    ),
    rule(
        "audit-goes-on",
        "A slice goes on where the last one ended.",
        "audit/test_slices.py::test_a_slice_goes_on_where_the_last_one_ended",
        Change(AUDIT_SLICES, "    return state.run_save(run, progress) and", "    return"),
    ),
    rule(
        "audit-ends-between-batches",
        "A worker that shuts down ends after the batch under way.",
        "audit/test_slices.py::test_a_shut_down_worker_ends_after_its_batch",
        Change(AUDIT_SLICES, "        stopping.set()\n        thread.join()\n", "        pass\n"),
    ),
    rule(
        "audit-overtaken",
        "What a background audit found does not replace what a whole one found meanwhile.",
        "audit/test_slices.py::test_a_whole_audit_meanwhile_makes_the_one_under_way_needless",
        Change(
            AUDIT_STATE,
            "return bool(_the_row().filter(begun_at=run.begun_at).update(**_result(progress)))",
            "return bool(_the_row().update(**_result(progress)))",
        ),
    ),
    rule(
        "audit-of-one-replica",
        "What was compared with another embedder's collection does not count.",
        "audit/test_slices.py::test_another_embedder_makes_it_begin_anew",
        Change(AUDIT_STATE, " OR progress ->> 'replica' IS DISTINCT FROM %(replica)s)", ")"),
        Change(AUDIT_STATE, "_the_row().filter(begun_at__isnull=False, progress__replica=replica)", "_the_row()"),
    ),
    rule(
        "audit-after-unclean-end",
        "A host of the workers that died makes an audit due.",
        "audit/test_slices.py::test_an_unclean_end_makes_one_due_at_once",
        Change(AUDIT_CHORE, "        if state.host_opened():\n", "        if False:\n"),
    ),
    rule(
        "audit-clean-end",
        "A host that ends in good order makes none due.",
        "audit/test_slices.py::test_an_unclean_end_makes_one_due_at_once",
        Change(AUDIT_CHORE, "        state.host_closed()\n", "        pass\n"),
    ),
    rule(
        "audit-woken-once",
        "A slice is sent again only when its message seems lost.",
        "audit/test_slices.py::test_a_wake_up_is_repeated_only_when_it_seems_lost",
        Change(AUDIT_STATE, "(woken_at IS NULL OR woken_at < ", "(true OR woken_at < "),
    ),
    rule(
        "audit-outage-noted",
        "An audit that meets an outage says so, and is not taken for a complete one.",
        "audit/test_slices.py::test_an_outage_is_noted_and_waited_for",
        Change(AUDIT_SLICES, "            state.attempt_interrupted(error.detail)\n"),
    ),
    rule(
        "audit-fixed-is-lag",
        "What an audit queued for repair is not counted as differing any more.",
        "audit/test_slices.py::test_what_is_found_is_kept_and_not_repaired",
        Change(AUDIT_STATE, "is_fixed = progress.fixed > 0", "is_fixed = False"),
    ),
    rule(
        "audit-host-stops",
        "A host that cannot note its end still gives the lock back.",
        "audit/test_slices.py::test_a_host_that_loses_the_database_still_stops",
        Change(
            "jobs/worker/host.py",
            "        except Error:\n            # PostgreSQL stopped first.",
            "        except KeyError:\n            # PostgreSQL stopped first.",
        ),
    ),
]
