#!/usr/bin/python3
"""Plants each known bug that the simulator does not see (PROCESS_MUTANTS in shared/base/mutant.h) and runs the test
that must find it.

  process-mutants.py [--results FILE] [NAME...]

The programs and unit tests of build/mutants are used; MUTANT_PLANTED plants. A test that is skipped has found nothing.
"""
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path("build/mutants")
TEST_SECONDS = 120       # a bug may make its test hang: that is a finding, too
OUTPUT_MAX = 16 << 20    # of a test, in bytes: some print a line for each event

# mutant -> the unit test (program, test) or the test on real processes that finds it
TESTS = {
    "candidacies_unlimited": ("test_terms", "a_candidate_raises_no_term_without_end_X15"),
    "broker_believes_one": ("test_tracker", "who_is_followed_goes_before_who_says_so_X15"),
    "record_ignored": "tests/cluster/test_up.py::test_another_size_is_refused_with_both_numbers",
    "file_must_be_long": ("test_pages", "a_file_that_LMDB_left_short_is_sound"),
    "one_ends_all": "tests/cluster/test_up.py::test_a_node_that_refuses_its_configuration_later_ends_nobody",
    "share_stays": "tests/cluster/test_restore.py::test_shares_are_gone_once_they_were_taken_S15",
    "deleted_stays_on_disk": ("test_ledger", "a_deleted_value_is_gone_for_good"),
    "index_unbounded": "tests/cluster/test_progress.py::test_an_index_that_is_no_node_is_refused_and_the_range_named_W5",
    "live_results_at_once": ("test_bounds", "the_live_results_of_one_job_are_packed_in_slices_W5"),
    "mailbox_locked": ("test_mailbox", "the_reader_takes_while_a_writer_stands_still"),
    "doubled_is_believed":
        "tests/cluster/test_founding.py::test_a_second_process_of_an_id_ends_and_the_first_is_not_harmed_R33",
    "descriptors_unchecked": "tests/cluster/test_descriptors.py::test_too_low_a_limit_is_said_at_start_with_both_numbers",
    "pages_believed": "tests/cluster/test_damage.py::test_an_empty_or_missing_store_is_no_new_one_X11",
    "output_replaces": "tests/cluster/test_output.py::test_a_device_stays_a_device",
    "answers_wait_unbounded":
        "tests/cluster/test_broker_memory.py::test_a_broker_gives_back_what_waited_for_clients_that_are_gone",
    "replies_wait_unbounded":
        "tests/cluster/test_limits.py::test_many_that_ask_a_node_and_never_read_share_one_bound",
    "waits_unbounded": ("test_limits", "who_asks_a_broker_without_end_leaves_room_for_others"),
    "shares_unbounded": ("test_limits", "who_asks_without_end_leaves_room_for_others"),
    "bundle_ends_early": ("test_inbox_bundles", "a_bundle_waits_while_others_are_heard"),
    "bundle_of_anybody": ("test_inbox_keys", "a_request_counts_for_who_sent_its_bundle"),
    "audience_hears_at_once": ("test_audience", "the_first_hears_no_heartbeat_before_the_nodes_know_of_it"),
    "release_nobody": ("test_follow", "a_job_that_was_spread_is_released_by_all_its_workers"),
    "attempt_begun_twice": ("test_task_failures", "the_next_attempt_is_not_begun_while_it_runs"),
    "same_attempt_counts": ("test_task_failures", "an_attempt_counts_once_though_two_made_it_T19"),
    "held_unbounded": ("test_io", "answers_that_wait_for_the_disk_are_bounded_in_bytes"),
    "warm_is_cold": ("test_schedule", "a_large_operation_goes_where_memory_is_ready"),
    "follower_overtakes": ("test_follow", "a_result_before_those_of_its_operands_counts_not"),
    "made_here_is_dropped": ("test_holding", "what_is_made_here_while_it_is_fetched_stays_T22"),
    "work_unbounded": ("test_rooms", "a_worker_refuses_what_is_more_than_any_credit"),
    "reads_at_once": ("test_service", "reads_are_answered_some_in_a_step"),
    "lines_unlimited": ("test_rooms", "lines_that_others_cause_are_limited_and_counted"),
    "log_never_turns": ("test_limits", "a_log_file_turns_and_loses_nothing_in_between"),
    "subscriptions_unbounded": ("test_limits", "a_subscriber_names_few_topics"),
    "loop_waits_its_turn": ("test_turns", "a_loop_takes_short_turns_and_so_does_what_it_starts"),
    "map_grows_at_once": ("test_map", "no_call_takes_long_however_many_keys_there_are_W7"),
    "loop_hashes": "tests/cluster/test_steady.py::test_no_loop_stands_still_while_a_large_value_is_spread_W6",
    "loop_writes_log": ("test_logger", "a_log_that_nobody_reads_stops_nobody"),
    "loop_gives_back": ("test_bulk", "who_drops_a_large_value_gives_nothing_back"),
    "chunks_unbounded": ("test_transfer", "what_is_not_moved_yet_is_bounded_W5"),
    "message_never_ends": ("test_limits", "a_message_of_too_many_parts_ends_its_connection"),
    "stop_ignored": ("test_executor", "a_conversion_that_runs_ends_when_it_is_cancelled"),
    "phase_unsettled": ("test_timing", "phases_add_up_in_any_order"),
    "differences_pass": ("test_schedule", "two_results_of_a_program_that_differ_fail_its_job_T20"),
    "descendants_spared": ("test_command_ends", "a_daemon_ends_with_it_T18"),
    "needs_unbounded": "tests/cluster/test_map_files.py::test_a_file_of_any_length_goes_through_a_task_in_bounded_memory",
    "staged_is_not_held": ("test_staging", "a_file_is_there_until_nobody_holds_it"),
    "survivors_by_pid": ("test_command_ends", "a_process_of_the_same_pid_is_left_alone_T18"),
    "doors_have_no_handler": ("test_doors", "who_is_admitted_at_a_door_is_in_one_table_X1_X2"),
    "doors_admit_all_keys": ("test_doors", "who_is_admitted_at_a_door_is_in_one_table_X1_X2"),
    "doors_admit_all_roles": ("test_doors", "who_is_admitted_at_a_door_is_in_one_table_X1_X2"),
    "hello_unbound": "tests/cluster/test_doors.py::test_a_nodes_key_speaks_for_its_own_id_alone_X2",
    "revoked_stay_connected": ("test_revoked", "a_key_that_is_gone_loses_what_it_has_subscribed_to_X12"),
    "one_turn_for_all": ("test_fair", "a_key_waits_for_one_request_of_each_other_key_X8"),
    "passed_on_at_once": "tests/cluster/test_quota.py::test_keys_take_turns_whatever_one_of_them_asks_X8",
    "credit_unbounded": "tests/cluster/test_chunk_credit.py::test_who_never_reads_has_eight_chunks_under_way_W5",
    "half_open_unbounded": ("test_limits", "the_oldest_without_a_key_leaves_for_the_next_X5"),
    "descriptor_stays_followed": ("test_limits", "a_descriptor_that_is_used_again_is_not_followed"),
    "quota_ignored": ("test_quota", "a_key_has_its_rate_and_a_burst_and_takes_nobody_elses_X8"),
    "feed_unbound": "tests/cluster/test_revocation.py::test_a_node_speaks_for_itself_alone_on_its_feed_X2",
    "roles_unchecked": ("test_rights", "a_request_is_refused_when_the_role_does_not_suffice"),
    "signatures_unchecked": ("test_signature", "a_signature_is_for_one_request_of_one_key_X13"),
    "replays_accepted": ("test_signature", "a_signature_is_taken_once_X13"),
    "files_beyond_bundle": ("test_task_bundle", "what_lies_beside_it_is_refused"),
    "owners_unchecked": ("test_rights", "a_job_is_its_owners_the_admins_and_is_seen_by_who_watches_X14"),
    "commands_for_all": ("test_rights", "a_job_that_runs_commands_has_a_request_of_its_own_X14"),
    "image_loses_owners": ("test_state", "all_of_a_state_is_saved_and_loaded"),
    "changes_unaudited": ("test_rights", "a_change_leaves_a_line_X16"),
    "started_unlogged": ("test_tasks", "what_may_begin_once_begins_when_the_log_has_it_T16"),
    "ended_is_forgotten": ("test_runner", "what_ended_is_told_to_whoever_asks_until_the_log_has_it"),
    "values_age_twice": ("test_uploads", "age_counts_once_by_the_log_and_what_is_old_is_dropped_V3"),
    "more_is_ignored": ("test_more", "what_is_due_is_done_once_a_turn"),
    "run_of_others": ("test_runs", "what_is_sent_is_what_is_read_R16"),
    "large_unbounded": ("test_snapshot", "few_large_jobs_are_in_work_at_once_S9"),
    "run_left_over": ("test_runs", "a_malformed_run_is_rejected"),
    "sealed_never_ends": ("test_doors", "a_sealed_message_is_bounded_as_an_open_one_X4"),
}


def listed():
    text = pathlib.Path("shared/base/mutant.h").read_text(encoding="utf-8")
    return re.findall(r"X\((\w+),", text[text.index("#define PROCESS_MUTANTS"):text.index("enum mutant {")])


def command(test):
    if isinstance(test, tuple):
        return [str(BUILD / "unit" / test[0])], {}
    return (["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
            {"CONCLAVE_BIN": str((BUILD / "bin").resolve())})


def failed(test, output):
    return re.search(rf"FAILED  \] {test[1]}\b", output)


def run(mutant, test):
    """How the test ended with the bug planted: found, or what else."""
    argv, more = command(test)
    environment = dict(os.environ, MUTANT_PLANTED=mutant, **more)
    # What the bug leaves running may hold a pipe open: a file has an end.
    with tempfile.TemporaryFile() as file, \
            subprocess.Popen(argv, env=environment, stdout=file, stderr=file, start_new_session=True) as process:
        def said():
            return os.pread(file.fileno(), OUTPUT_MAX, 0).decode(errors="replace")

        end = time.monotonic() + TEST_SECONDS
        while process.poll() is None:
            # What comes after its test in the same program is of no interest.
            found = isinstance(test, tuple) and failed(test, said())
            if found or time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)
                return "found", "fails" if found else "hangs"
            time.sleep(0.05)
        output = said()
    if isinstance(test, tuple):
        if failed(test, output):
            return "found", "fails"
        last = re.findall(r"\[ RUN      \] (\w+)", output)[-1:]
        return ("found", "ends by a signal") if process.returncode < 0 and last == [test[1]] else ("survived", output)
    if re.search(r"\b\d+ failed", output):
        return "found", "fails"
    return "survived", output


def is_alone(mutant):
    """Its test wants the machine to itself (pytest's mark `alone`), or says how long something may take."""
    test = TESTS[mutant]
    return not isinstance(test, tuple) and "mark.alone" in pathlib.Path(test.split("::")[0]).read_text(encoding="utf-8")


def judge(mutant):
    """Says how its test ended; True when it found the bug."""
    began = time.monotonic()
    verdict, how = run(mutant, TESTS[mutant])
    name = TESTS[mutant][1] if isinstance(TESTS[mutant], tuple) else TESTS[mutant].split("::")[1]
    if verdict == "found":
        print(f"caught  {mutant:<24} {name} {how} ({time.monotonic() - began:.0f} s)", flush=True)
    else:
        print(f"FAIL    {mutant:<24} {name} did not find it:\n{how}", flush=True)
    return verdict == "found"


def main():
    names = sys.argv[1:]
    results = names.pop(names.index("--results") + 1) if "--results" in names else None
    names = [name for name in names if name != "--results"]
    unknown = set(listed()) ^ set(TESTS)
    if unknown:
        sys.exit(f"process-mutants: a bug without a test, or a test without a bug: {', '.join(sorted(unknown))}")
    names = names or listed()
    # As many at a time as there are processors, as the tests on real processes are run: they wait more than they compute.
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(judge, [name for name in names if not is_alone(name)]))
    found += [judge(name) for name in names if is_alone(name)]
    caught = sum(found)
    print(f"process mutants: {caught} caught, {len(names) - caught} survived")
    if results:
        pathlib.Path(results).write_text(f"{caught} {len(names) - caught}\n", encoding="utf-8")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
