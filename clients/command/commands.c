/* commands.c - the table of commands: what `conclave` can do, and what its help says about it. */
#include "clients/command/commands.h"

#include "clients/command/help.h"

static const char up_details[] =
    "Starts the nodes and a broker, and starts again what dies. Without --detach it prints what\n"
    "happens and ends the cluster on Ctrl-C; with it, it returns once a coordinator serves.\n"
    "DIR holds nodeN/ (data), nodeN.log, broker.log, supervisor.log; cluster.json and\n"
    "supervisor.json as long as it runs; and founded.json, which says what the cluster is: the "
    "next\n"
    "`conclave up` in DIR goes on with its data, nodes, voters, port and brokers. Another number "
    "of\n"
    "nodes or voters is refused (2), and so is a DIR whose stores are all gone. Once a "
    "coordinator\n"
    "has served, no process ends the others: who cannot start is tried again and again, and "
    "`status`\n"
    "names it. Before that, one that refuses its configuration ends `up` (2), and so do too many\n"
    "voters that cannot start (1). --json: {pid, dir, port, nodes, broker, coordinator, term,\n"
    "troubles}; troubles is a list of lines, one for each process that does not start.";

static const char recover_details[] =
    "When a majority of the voters' disks is lost, the rest serves nothing. This command, while "
    "no\n"
    "node runs, lists what each store holds, takes the most complete one, and says what may be "
    "lost;\n"
    "with --yes the cluster goes on from there: all stores that are named get its log and values "
    "and\n"
    "a new cluster id, so that disks that come back later are refused. Ledgers stay where they "
    "are. "
    "\n"
    "What is replaced is kept in NODE_DIR.replaced-ID. Words name directories of nodes (ID=DIR for "
    "an\n"
    "empty one) instead of --dir. It may be interrupted and repeated. Exit code 1 without --yes, 2 "
    "when\n"
    "a majority is there or a node runs, 6 when there is no store. --json: {done, cluster_id, "
    "from,\n"
    "stores: [{node, dir, state, cluster_id, term, last_term, last_index, jobs, ...}], lost}.";

static const char down_details[] =
    "Ends the cluster that runs in DIR, its data stay. Exit code 0 also when none runs in\n"
    "DIR, 6 when there is no such directory.";

static const char submit_details[] =
    "Prints the result (10!=3628800) once it is there. A job that was accepted is waited for "
    "through\n"
    "lost brokers and changes of the coordinator, until --timeout. On a terminal a result of more "
    "than\n"
    "1000 digits is shortened; into a pipe or file it goes whole.\n"
    "A file holds one job a line (factorial 10); blank lines and what follows # do not count. "
    "Nothing\n"
    "of it is submitted when a line is wrong, unless --follow is given. Results come in the "
    "file's\n"
    "order. --output writes a file whole or not at all, follows links, and writes devices and "
    "FIFOs "
    "in\n"
    "place; - is stdout. --json prints the finished job as `job show` does, one a line for a file.";

static const char show_details[] =
    "operations: how many of the plan's are done, and how many were executed for it in all: more\n"
    "than the plan's when workers or coordinators failed or stragglers were overtaken.\n"
    "--json: {id, kind, spec, key, state, submitted, finished, operations: {done, total, "
    "executed},\n"
    "result: {digits, sha256, text, head, tail}, converter, error}; with --ops also trace: "
    "[{name,\n"
    "operator, operands, node, attempt}]. What does not exist is null: result before the job is "
    "done,\n"
    "text of a result of more than 1000 digits (head and tail are then its ends), trace of a job "
    "of\n"
    "more than 4096 operations. sha256 is that of the decimal text.";

static const char result_details[] =
    "Prints the decimal digits alone. They are checked against the job's SHA-256; should they\n"
    "differ, the exit code is 1 and what was printed is wrong.";

static const char progress_set_details[] =
    "Prints the state. Workers' results count on from there: each one that the coordinator "
    "accepts\n"
    "adds its operations to its node's state. --json: {node, state}.";

static const char progress_snap_details[] =
    "The first snap is 0. It holds what every node's state is at that moment, and no later "
    "change,\n"
    "failure or election alters it. With --key, a retry takes no second snap: the key of one of "
    "the\n"
    "latest 1000 snaps prints that snap's id again; an older one is refused (exit code "
    "6).\n--json: {snapshot, key}.";

static const char progress_get_details[] =
    "Prints the state, 0 for a node that was never set. For a snap that was not taken yet it "
    "prints\n"
    "none, and the exit code is 6. --json: {node, snapshot, state}, null for none and for now.";

static const char bank_change_details[] =
    "An account belongs to a node: alice@1 is another one than alice@2. The first deposit makes "
    "it.\n"
    "Amounts and balances are whole numbers of minor units, at most 10^15 for all of a node. What\n"
    "cannot be done is refused with exit code 1 (no such account: 6), and nothing is changed. "
    "Prints\n"
    "the account's balance. --json: {account, node, amount, balance, key, repeated}; with a key "
    "that\n"
    "was used before, the answer is that of the first time, be it a refusal, and repeated is "
    "true.\n"
    "A node remembers the last 65536 answers; a key before those is refused, exit code 6, until\n"
    "10,000,000 other keys came after it: then it is a new one.";

static const char bank_transfer_details[] =
    "Takes the money from one account and gives it to another, on the same node or another one.\n"
    "It is durable at the first node when the command returns, and arrives at the second once, as\n"
    "soon as that node is there, whatever is killed in between; `bank list` shows what is on its "
    "way.\n"
    "Both accounts must exist. Prints the first account's balance. --json: {account, node, "
    "amount,\n"
    "balance, key, repeated}, of the first account.";

static const char bank_list_details[] =
    "Nodes are asked one after another: while money moves, the sum is that of different moments.\n"
    "--json: {nodes: [{node, accounts: {NAME: BALANCE, ...}, total, sent}], total, sent}; sent is "
    "what\n"
    "was sent to other nodes and not acknowledged by them: on its way, or just arrived.";

static const char bank_load_details[] =
    "First makes accounts load-0, load-1, ... on all nodes in turn, and funds each. Keeps to the\n"
    "rate while fewer than --window transfers wait for their answers. A latency is the time from\n"
    "asking to the answer: the transfer is durable at the payer's node. What is refused is "
    "counted\n"
    "by reason; after no_answer a transfer may have taken effect or not. Exit code 1 when none\n"
    "succeeded. --json: {nodes, accounts, deposited, seed, asked, transfers, refused,\n"
    "refusals: {CODE: N, ...}, duration_us, transfers_per_second,\n"
    "latency_us: {p50, p90, p99, max}}.";

static const char kv_put_details[] =
    "A value is UTF-8 text of at most 4096 bytes. With --from the command returns when it is "
    "durable\n"
    "at that node; it arrives once, in the order in which it was sent. --json: {name, value, "
    "node,\n"
    "from, key, repeated}.";

static const char kv_get_details[] =
    "Prints the value; exit code 6 when there is none. --json: {name, node, value}.";

static const char snapshot_take_details[] =
    "Waits until all nodes have reported, milliseconds as a rule, and prints the id. A node that "
    "is\n"
    "dead, dies or is silent for longer than its --snapshot-timeout makes the snapshot partial: it "
    "is\n"
    "kept, the id is printed, stderr says what is missing, and the exit code is 1.\n"
    "--json: {snapshot_id, is_complete, missing, initiator, periodic, time, duration_us, bytes,\n"
    "states}; missing is null, or a text; states counts the nodes whose state is in it.";

static const char snapshot_list_details[] =
    "Every node keeps those that it has taken. --json: an array of what `snapshot take` prints.";

static const char snapshot_show_details[] =
    "The id names the node that keeps it. MARKER is who sent a node its first marker, - the "
    "initiator.\n"
    "--json: what `snapshot export` writes, but checkpoint is null; with --node only that node's\n"
    "state and the channels into it.";

static const char snapshot_export_details[] =
    "Writes JSON, - is stdout: {format, snapshot_id, is_complete, initiator, periodic, time,\n"
    "duration_us, bytes, processes, process_states, channel_states, missing, totals, coordinator,\n"
    "jobs, handed_out, checkpoint}; docs/snapshots.md describes them. The file is there whole or "
    "not\n"
    "at all.";

static const char snapshot_verify_details[] =
    "Says what it checked: in every channel sent - received = recorded, and nothing that was not\n"
    "sent before the cut; money in accounts, channels and outboxes, each transfer once; every\n"
    "operation of every running job in one place. Of a partial snapshot it says what cannot be\n"
    "known. Exit code 1 with what is wrong, 2 when the file is no snapshot.\n"
    "--json: {snapshot_id, is_complete, is_consistent, checked, unknown, violations, money, "
    "channels,\n"
    "operations}.";

static const char snapshot_restore_details[] =
    "Makes the data directories of a fresh cluster: accounts, values and messages under way as "
    "they\n"
    "were, and the running jobs as far as the log knew them. What was in the channels is sent "
    "again, in\n"
    "its order, before anything new. A job with values of more than 64 KiB restarts. `conclave "
    "up\n"
    "--restore FILE` does both. Refused are a directory with data in it (2), a snapshot that does "
    "not\n"
    "verify (1), and a partial one (2), with what would be lost. --json: {snapshot_id, dir, "
    "nodes}.\n"
    "\n"
    "With --node it puts accounts, values and transfers under way of one node, whose disk was lost "
    "and\n"
    "which the others have admitted again, back into its empty ledger. No node may run in DIR. It "
    "says\n"
    "what the others tell of it: what is sent again, what may be counted twice or missing, and by "
    "how\n"
    "much the sum differs from that of the snapshot. --json: {snapshot_id, node, done, accounts, "
    "total,\n"
    "values, sent_again, notes}. docs/snapshots.md tells more.";

static const char status_details[] =
    "--json: {coordinator, term, quorum, healthy, nodes: [{id, host, pid, role, alive, "
    "incarnation,\n"
    "boots, term, operations, conversions, assigned, held, applied, rejected, disk_full,\n"
    "longest_turn_us, longest_turn_own_us, longest_turn_in, refusal, version}],\n"
    "jobs: {queued, running, done, failed, cancelled}, brokers: [{address, alive, coordinator,\n"
    "forwarded, rejected, refused, dropped, waiting, pid, version}], operations, reassigned, "
    "copied, restarts, elections,\n"
    "troubles, error}. troubles is a list of lines: which process of DIR does not start, and why. "
    "Without a coordinator it shows what the broker knows, coordinator, term and jobs are\n"
    "null, error says why, and the exit code is 3.\n"
    "An incarnation is a string of 16 hexadecimal digits. docs/operations.md explains the columns.";

static const char init_details[] =
    "A cluster is founded by itself as soon as all its voters are there; `status` names those "
    "that\n"
    "are missing. This founds it with those that are, when they are a majority. The others are\n"
    "admitted when they come. Refused, with exit code 1, when any node that can be reached belongs "
    "to\n"
    "a cluster, and with 3 when no majority is there: an empty disk is not a new cluster. A "
    "cluster\n"
    "whose disks were lost needs `conclave recover`. --json: {cluster_id, nodes, voters, missing}.";

static const char check_details[] = "Exit code 0 when a coordinator serves and every node is "
                                    "alive, and all processes that `up` started in DIR run; else\n"
                                    "3, with one line that says why.";

static const char monitor_details[] =
    "One line a message until Ctrl-C. With --json one object a line: type is heartbeat or event, "
    "and\n"
    "gap where messages of a node were missed (from, to, missed). A feed is never the whole truth.";

static const char run_details[] = "Starts a cluster in a temporary directory and on free ports, "
                                  "submits the job, prints the result\n"
                                  "as `submit` does, and removes everything, also on Ctrl-C.";

const struct command commands[] = {
    {"up", "", "Start a supervised cluster on this machine", up_details, up_options, up_run},
    {"down", "", "Stop the cluster", down_details, down_options, down_run},
    {"recover", "[[ID=]NODE_DIR...]", "Go on after a majority of the voters' disks was lost",
     recover_details, recover_options, recover_run},
    {"run", "KIND SPEC", "One job on a temporary cluster: run factorial 10000", run_details,
     run_options, run_run},
    {"submit", "KIND SPEC", "Submit a job and wait for its result: submit factorial 10",
     submit_details, submit_options, submit_run},
    {"job list", "", "List jobs", NULL, job_list_options, job_list_run},
    {"job show", "ID", "Show a job", show_details, job_show_options, job_show_run},
    {"job wait", "ID", "Wait for a job, then print its result as submit does", NULL,
     job_output_options, job_wait_run},
    {"job result", "ID", "Print the digits of a job's result", result_details, job_output_options,
     job_result_run},
    {"job cancel", "ID", "Cancel a job", NULL, NULL, job_cancel_run},
    {"job explain", "ID", "Explain why a job is where it is", NULL, NULL, job_explain_run},
    {"progress set", "NODE STATE", "Set a node's progress: the operations it has completed",
     progress_set_details, NULL, progress_set_run},
    {"progress snap", "", "Take a snap of every node's progress; prints its id",
     progress_snap_details, progress_snap_options, progress_snap_run},
    {"progress get", "NODE", "Print a node's progress, now or in a snap", progress_get_details,
     progress_get_options, progress_get_run},
    {"bank deposit", "ACCOUNT@NODE AMOUNT", "Add money to an account, and make it",
     bank_change_details, bank_change_options, bank_deposit_run},
    {"bank withdraw", "ACCOUNT@NODE AMOUNT", "Take money from an account", bank_change_details,
     bank_change_options, bank_withdraw_run},
    {"bank balance", "ACCOUNT@NODE", "Print an account's balance", NULL, NULL, bank_balance_run},
    {"bank transfer", "FROM@NODE TO@NODE AMOUNT", "Move money between accounts",
     bank_transfer_details, bank_change_options, bank_transfer_run},
    {"bank list", "", "List accounts, with their sum", bank_list_details, bank_list_options,
     bank_list_run},
    {"bank load", "", "Transfer between random accounts of all nodes, and measure",
     bank_load_details, bank_load_options, bank_load_run},
    {"kv put", "NAME VALUE", "Put a value on a node, or send it there from another one",
     kv_put_details, kv_put_options, kv_put_run},
    {"kv get", "NAME", "Print a node's value", kv_get_details, kv_get_options, kv_get_run},
    {"snapshot take", "", "Take one consistent picture of all nodes and channels; prints its id",
     snapshot_take_details, snapshot_take_options, snapshot_take_run},
    {"snapshot list", "", "List the snapshots that are kept", snapshot_list_details,
     snapshot_list_options, snapshot_list_run},
    {"snapshot show", "ID", "Show a snapshot: nodes, channels, totals", snapshot_show_details,
     snapshot_show_options, snapshot_show_run},
    {"snapshot export", "ID FILE", "Write a snapshot to a file as JSON", snapshot_export_details,
     NULL, snapshot_export_run},
    {"snapshot verify", "ID|FILE", "Check that a snapshot is consistent", snapshot_verify_details,
     snapshot_verify_options, snapshot_verify_run},
    {"snapshot restore", "FILE", "Prepare a fresh cluster that goes on from a snapshot",
     snapshot_restore_details, snapshot_restore_options, snapshot_restore_run},
    {"status", "", "Show the cluster: coordinator, nodes, jobs, brokers", status_details,
     status_options, status_run},
    {"init", "", "Found a new cluster while voters are missing", init_details, init_options,
     init_run},
    {"check", "", "Is the cluster healthy? For health checks", check_details, check_options,
     check_run},
    {"monitor", "", "Tail the nodes' heartbeats and events", monitor_details, monitor_options,
     monitor_run},
    {"version", "", "Show the version", NULL, NULL, version_run},
    {"help", "[COMMAND]", "Show help", NULL, NULL, help_run},
    {0}};
