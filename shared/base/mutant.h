/* mutant.h - known bugs that can be planted, one at a time, to show that the tests find them.
 *
 * Only a build with MUTANTS=1 has them (build/mutants); in every other MUTANT() is constant false
 * and costs nothing. Each stands in an `if` beside the code that it breaks. */
#ifndef CONCLAVE_BASE_MUTANT_H
#define CONCLAVE_BASE_MUTANT_H

#include <stdbool.h>

/* X(name, what it breaks): the simulator finds these. */
#define MUTANTS(X)                                                                               \
    X(vote_before_disk, "a vote leaves before it is on disk (R1)")                               \
    X(vote_twice, "a second candidate of the same term gets a vote, too (R1)")                   \
    X(vote_without_log, "a vote goes to a candidate whose log is behind (R3)")                   \
    X(votes_per_message, "votes are counted per message, not per node (R2)")                     \
    X(pre_vote_raises_term, "a request for a pre-vote raises the term (R5)")                     \
    X(empty_disk_votes, "a disk that is not admitted votes and acknowledges (R31)")              \
    X(admission_counts_itself, "a disk acknowledges its own admission (R31)")                    \
    X(old_disk_counts, "votes and acks of a disk that was replaced count (R31)")                 \
    X(founds_without_all, "a cluster is founded while voters are missing (R30)")                 \
    X(old_term_counted, "an entry of an older term commits by counting (R9, Raft figure 8)")     \
    X(term_of_one, "a term is entered when one node says that it is in it (X15)")                \
    X(climbs_at_once, "a node without coordinator enters any term that one node says (X15)")     \
    X(coordinator_of_one, "whoever says that it coordinates a term is believed (X15)")           \
    X(commit_of_one, "a coordinator commits what one follower says is committed (X10)")          \
    X(recalls_without_end, "a coordinator steps aside for whoever is in a higher term (X15)")    \
    X(nobody_is_recalled, "a voter that is alone in a higher term stays alone")                  \
    X(no_noop, "a coordinator begins without an entry of its own (R10)")                         \
    X(unconfirmed_reads, "a read is answered without asking a majority (R11, R13)")              \
    X(old_ack_confirms, "acks to an earlier round confirm a read (R11)")                         \
    X(ack_before_disk, "entries are acknowledged before they are on disk (R1)")                  \
    X(ack_without_values, "entries are acknowledged without the values they refer to")           \
    X(commit_unverified, "a follower commits what it has not compared (R15)")                    \
    X(append_cuts_always, "an append cuts off what is after it, conflict or not")                \
    X(skip_conflict_check, "a follower does not compare the entry before an append's first")     \
    X(install_keeps_suffix, "an installed checkpoint leaves the old log's end on disk (R18)")    \
    X(image_one_behind, "a checkpoint says that it covers one entry less (R16)")                 \
    X(image_loses_keys, "a checkpoint loses the keys of jobs (R28)")                             \
    X(image_loses_ranges, "a checkpoint loses what the plan of a job is over (T3)")              \
    X(checkpoint_torn, "a row that changes while a checkpoint is built is packed as it is then") \
    X(checkpoint_misses, "a row that changes while a checkpoint is built is not packed")         \
    X(checkpoint_stale, "rows that changed are taken as the last checkpoint has them")           \
    X(part_not_written, "a part of a checkpoint that is new counts as one that the disk has")    \
    X(image_loses_window, "a checkpoint loses the keys of forgotten jobs (R29)")                 \
    X(evicted_executes, "a key of an evicted session is executed again (R29)")                   \
    X(watermark_ignored, "a key below its session's watermark is executed again (R29)")          \
    X(window_short, "a block of forgotten keys goes while there is room for it (R29)")           \
    X(argument_is_key, "a key with another argument is another job (R28)")                       \
    X(open_unbounded, "any number of jobs is open")                                              \
    X(wiped_unheard, "a broker does not hear a node whose disk was wiped")                       \
    X(cancelled_stays_counted, "a job that is cancelled stays counted as open of its key (X8)")  \
    X(quota_passes_pending, "jobs that are proposed do not count in the quota of a key (X8)")    \
    X(linear_pace, "an operation of any size is expected to take as long a unit as all others")  \
    X(starved_is_slow, "an operation that waits for a processor is taken for one that is stuck") \
    X(named_value_dropped, "a stored value is dropped while a job names it (V2)")                \
    X(segment_told_early, "a segment is acknowledged before its entry is committed (V1)")        \
    X(pieces_misordered, "the pieces of a text are joined in another order")                     \
    X(piece_unpadded, "a piece of a text lacks the zeros before its digits")                     \
    X(image_loses_pieces, "a checkpoint loses in how many pieces a text is made (T3)")           \
    X(parts_swapped, "a program gets its last two values in another order")                      \
    X(operations_take_none, "commands begin as if operations had no slots of the node")          \
    X(late_result_counts, "a result of an operation that is done counts again (T1)")             \
    X(remade_counts, "an operation that is made again counts again (T9)")                        \
    X(held_goes_early, "what a worker alone holds goes before it was used (T10)")                \
    X(held_is_logged, "an entry names a value that is on no disk (R15)")                         \
    X(lost_is_there, "a value counts as there when the worker that held it is gone (T10)")       \
    X(counted_twice, "a finished operation counts twice in its checkpoint")                      \
    X(cancel_for_others, "who gives up a fetch gives it up for the others, too (W3)")            \
    X(second_source_ignored, "a fetch under way ignores another source that is named (W3)")      \
    X(leads_without_acks, "a coordinator that nobody acknowledges leads on (R35)")               \
    X(level_while_alive, "a node whose heartbeats arrive counts as level (R36)")                 \
    X(saved_not_kept,                                                                            \
      "what only the checkpoint on disk names is dropped before the next one (W4)")              \
    X(log_not_kept, "what only entries after the checkpoint on disk name is collected (W4)")     \
    X(value_collected_too_early, "a value that is not logged yet is collected (W4)")             \
    X(values_never_collected, "what no state names stays on disk (W4)")                          \
    X(keeps_its_own, "a node forgets by its own limits, not by those in the log (W6)")           \
    X(forgets_newest, "the bytes of results forget the last job, too (W6)")                      \
    X(forgotten_executes, "a key of a job that was forgotten by hand is executed again (R29)")   \
    X(rot_stays, "a value that is missing or damaged is not repaired (R37)")                     \
    X(late_failure_counts, "a late failure of an attempt that is not of now counts (T15)")       \
    X(lost_is_free, "a task that may have begun, and may only once, begins again (T16)")         \
    X(incarnations_are_alike,                                                                    \
      "a node that started again says what its former life did not begin (T16)")                 \
    X(lack_is_failure, "a task whose inputs nobody had for the moment fails (T19)")              \
    X(death_is_failure, "a node's death counts as a failed attempt of its tasks (T19)")          \
    X(loser_goes_on, "a task whose copy was done is executed to its end  (T9)")                  \
    X(copy_is_left, "a task that is done is in the hands of its copy's worker (T9)")             \
    X(copy_failure_counts, "a copy that fails fails the task that is executed (T9)")             \
    X(record_off_by_one, "a task is executed with the record of the one before it")              \
    X(files_not_awaited, "a task begins before its files are at its node")                       \
    X(lacking_file_begins, "a task begins without a file that nobody had for the moment")        \
    X(lacking_file_is_failure, "a task of which nobody had a file for the moment fails (T19)")   \
    X(files_in_one_segment, "a worker fetches one segment of a task's files, not all of them")   \
    X(records_never_back, "a record before the last one that was looked for is not found again") \
    X(spilled_at_once, "a value that is to be spilled leaves memory before it is on disk (T22)") \
    X(begun_waits, "an operation that was begun waits behind one that has no room (T22)")        \
    X(marker_overtakes, "a marker overtakes the message before it (S2, S13)")                    \
    X(recorder_off_by_one, "the last message before a marker is not recorded (S3)")              \
    X(second_marker_records, "the state is recorded once more at the second marker (S4)")        \
    X(old_marker_accepted, "a marker of an old incarnation starts a recording (S6)")             \
    X(transfer_applied_twice, "an outbox message that was applied is applied again (S14)")       \
    X(outbox_lost, "a node that starts again has forgotten its outbox (S14)")                    \
    X(one_consumer, "a value goes with the first operation that used it")                        \
    X(used_is_dropped, "whoever made a value drops it when it has used it itself")               \
    X(consumers_remake, "a lost value is made again for each operation that uses it")            \
    X(parts_out_of_order, "the tasks of a restored job may stand before the job (S15)")          \
    X(outcomes_stay_behind, "a restored job of tasks begins with the first of them (S15)")       \
    X(failures_stay_behind, "a task that failed counts as done in a restored cluster (S15)")     \
    X(starts_stay_behind, "a restored cluster does not know which tasks may have begun (S15)")   \
    X(progress_stays_behind, "a restored cluster counts from 0 (S15)")                           \
    X(lack_of_values_unseen, "a restored job goes on from values that are not there (S15)")      \
    X(applied_sent_again, "what was applied before the cut is sent again (S15)")                 \
    X(sent_stays_behind, "what was in a channel is lost when a cluster is restored (S15)")       \
    X(return_lost, "money that cannot be credited on a wiped disk does not come back (S14)")     \
    X(follower_uncounted, "an operation that follows others is executed and not counted (T1)")   \
    X(lost_follower_counts, "a result counts though its worker and its operands are lost (T1)")  \
    X(held_results_unseen, "results that are held back are not in a snapshot (S2)")              \
    X(ledger_key_lost, "a key that leaves the ledger's ring is not remembered (R29)")

/* Likewise, outside of what the simulator runs: tests/tools/process-mutants.py knows which test
 * finds each. The environment plants them: MUTANT_PLANTED=record_ignored. */
#define PROCESS_MUTANTS(X)                                                                         \
    X(values_age_twice, "the time since the last value_aged counts again in the next (V3)")        \
    X(commands_for_all, "a job that runs commands is submitted like any other (X14)")              \
    X(descendants_spared, "what left a command's session goes on when it ends (T18)")              \
    X(needs_unbounded, "a follower fetches all values that an entry names at once")                \
    X(warm_is_cold, "a large operation goes to a worker without memory for it")                    \
    X(follower_overtakes, "a result counts before those of its operands (T1)")                     \
    X(made_here_is_dropped, "a fetch that ends drops a value that was made here meanwhile (T22)")  \
    X(staged_is_not_held, "a file goes from the scratch disk while an attempt reads it")           \
    X(survivors_by_pid, "whoever has the pid of a command of before is killed (T18)")              \
    X(candidacies_unlimited, "a candidate raises a voter's term as often as it likes (X15)")       \
    X(broker_believes_one, "a broker believes whoever says that it serves (X15)")                  \
    X(record_ignored, "options of up count more than what the directory says")                     \
    X(file_must_be_long, "a store is refused when its last page number is beyond its end")         \
    X(one_ends_all, "a node that refuses its configuration later ends the whole cluster")          \
    X(share_stays, "the share of a snapshot is not removed once it is taken")                      \
    X(deleted_stays_on_disk, "a value that is deleted is there again after a start")               \
    X(index_unbounded, "progress is set at any index")                                             \
    X(live_results_at_once, "all live results of a job are packed in one turn of the loop")        \
    X(mailbox_locked, "the writer's wake-up and the reader share a lock")                          \
    X(doubled_is_believed, "who says HELLO last is the node of that id")                           \
    X(descriptors_unchecked, "too low a limit of open files is not noticed at the start")          \
    X(pages_believed, "the pages of a store are not looked at before it is opened")                \
    X(output_replaces, "a device or FIFO that --output names is replaced by a file")               \
    X(answers_wait_unbounded, "any number of answers waits in a broker for one client")            \
    X(replies_wait_unbounded, "any number of answers waits in a node for those that do not read")  \
    X(waits_unbounded, "one client may have all requests that wait in a broker for a node")        \
    X(shares_unbounded, "one client may have all requests that may wait in a node")                \
    X(held_unbounded, "any number of bytes is held back until the disk is done")                   \
    X(work_unbounded, "any number of operations waits at a worker")                                \
    X(reads_at_once, "all reads that a majority has confirmed are answered in one turn")           \
    X(lines_unlimited, "every rejected message and every event is a line of the log")              \
    X(log_never_turns, "a log file grows without end")                                             \
    X(subscriptions_unbounded, "a subscriber may ask for any number of topics")                    \
    X(message_never_ends, "a message may have any number of parts")                                \
    X(loop_gives_back, "whoever drops a large value gives its memory back to the system")          \
    X(loop_waits_its_turn, "an event loop takes turns as long as those of a thread that computes") \
    X(map_grows_at_once, "a map that grows moves all that it has in one call")                     \
    X(loop_hashes, "the event loop hashes each value that goes to disk")                           \
    X(loop_writes_log, "a log that nobody reads stops the event loop")                             \
    X(chunks_unbounded, "any number of pieces of values waits to be put into its place")           \
    X(stop_ignored, "what is cancelled while it is computed goes on to its end")                   \
    X(phase_unsettled, "the time of the phase that a job leaves is not counted")                   \
    X(doors_have_no_handler, "nobody decides which keys are admitted (X1)")                        \
    X(doors_admit_all_keys, "every key is admitted (X1)")                                          \
    X(doors_admit_all_roles, "a key is admitted at every door (X2)")                               \
    X(hello_unbound, "a node's key may say HELLO as any node (X2)")                                \
    X(sealed_never_ends, "an encrypted message may have any number of parts (X4)")                 \
    X(revoked_stay_connected, "a revoked key keeps the connections that it has (X12)")             \
    X(feed_unbound, "on its feed a node may say what another one does (X2)")                       \
    X(quota_ignored, "a key may make any number of requests a second (X8)")                        \
    X(one_turn_for_all, "requests of all keys wait for a node in the order of arrival (X8)")       \
    X(passed_on_at_once, "any number of requests is passed on before a node has read them (X8)")   \
    X(bundle_ends_early, "another plane's turn ends a bundle of requests that is not read yet")    \
    X(bundle_of_anybody, "a bundle's requests count as those of whoever was heard last")           \
    X(audience_hears_at_once, "the first to listen hears a feed before the nodes send it events")  \
    X(release_nobody, "a worker keeps what it has of a job that has ended")                        \
    X(attempt_begun_twice, "a retry begins what another worker executes already")                  \
    X(same_attempt_counts, "an attempt that two workers made counts twice (T19)")                  \
    X(credit_unbounded, "a client may have any number of unanswered chunks (W5)")                  \
    X(half_open_unbounded, "connections without a key may take all descriptors (X5)")              \
    X(descriptor_stays_followed, "what gets a connection's number next is followed in its stead")  \
    X(roles_unchecked, "every key may ask for everything")                                         \
    X(signatures_unchecked, "every signature fits (X13)")                                          \
    X(replays_accepted, "a signature is taken any number of times (X13)")                          \
    X(files_beyond_bundle, "a file that a task has left may be longer than all that it has left")  \
    X(owners_unchecked, "every key sees every job (X14)")                                          \
    X(image_loses_owners, "a checkpoint loses whose the jobs are (X14)")                           \
    X(changes_unaudited, "a change leaves no line in the log (X16)")                               \
    X(started_unlogged, "a task that may begin once is begun before the log has it (T16)")         \
    X(ended_is_forgotten, "a worker forgets how tasks ended when their coordinator dies (T15)")    \
    X(differences_pass, "two results of a program on the same values may differ (T20)")            \
    X(more_is_ignored, "what is due is done after each event of a turn")                           \
    X(run_of_others, "a follower gets the run that another one wanted from there on")              \
    X(run_left_over, "a run of entries may have more in its frame")                                \
    X(large_unbounded, "any number of jobs that are not small is scheduled at once")

enum mutant {
    MUTANT_none,
#define X(name, text) MUTANT_##name,
    MUTANTS(X)
#undef X
        MUTANT_KINDS, /* of those that the simulator finds */
#define X(name, text) MUTANT_##name,
    PROCESS_MUTANTS(X)
#undef X
};

#ifdef CONCLAVE_MUTANTS
/* The bug that is planted now; set by whoever runs the cores, or by the environment. */
extern enum mutant mutant_planted;
#define MUTANT(name) (mutant_planted == MUTANT_##name)
#else
#define MUTANT(name) (false)
#endif

#endif
