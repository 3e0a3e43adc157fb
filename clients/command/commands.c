/* commands.c - the table of commands: what `conclave` can do, and what its help says about it. */
#include "clients/command/commands.h"

#include "clients/command/help.h"

static const char up_details[] =
    "Starts the nodes and a broker, and restarts what dies. Without --detach it prints what\n"
    "happens, and Ctrl-C stops the cluster; with it, it returns once a coordinator serves.\n"
    "DIR holds nodeN/ (data), nodeN.log, broker.log, supervisor.log; cluster.json and\n"
    "supervisor.json while it runs; access.json and keys/, made at the first start (--insecure:\n"
    "without; then anyone who can reach the ports can do everything); and founded.json, which says "
    "what "
    "the cluster is: the next\n"
    "`conclave up` in DIR continues with its data, nodes, voters, port and brokers. A different\n"
    "number of nodes or voters is refused (2), and so is a DIR whose stores are all gone. Once a\n"
    "coordinator has served, no process stops the others: one that cannot start is tried again\n"
    "and again, and `status` names it. Before that, `up` ends when a process refuses its\n"
    "configuration (2) or too many voters cannot start (1). --json: {pid, dir, port, nodes,\n"
    "broker, coordinator, term, troubles}; troubles is a list of lines, one for each process\n"
    "that does not start.";

static const char recover_details[] =
    "When a majority of the voters' disks is lost, the rest cannot serve. This command, while no\n"
    "node runs, lists what each store holds, takes the most complete one, and says what may be\n"
    "lost. With --yes the cluster continues from there: all stores that are named get its log and\n"
    "values and a new cluster id, so that disks that come back later are refused. Ledgers stay as\n"
    "they are. What is replaced is kept in NODE_DIR.replaced-ID. Arguments name directories of\n"
    "nodes (ID=DIR for an empty one) instead of --dir. It may be interrupted and repeated.\n"
    "Exit code 1 without --yes, 2 when a majority is there or a node runs, 6 when there is no\n"
    "store. --json: {done, cluster_id, from, stores: [{node, dir, state, cluster_id, term,\n"
    "last_term, last_index, jobs, ...}], lost}.";

static const char down_details[] = "Stops the cluster that runs in DIR; its data is kept. Exit "
                                   "code 0 also when none runs in DIR,\n"
                                   "6 when there is no such directory.";

static const char submit_details[] =
    "Prints the result (10!=3628800) as soon as there is one. When a broker is lost or the\n"
    "coordinator changes, it keeps waiting for a job that was accepted, for as long as it takes.\n"
    "On a terminal a result of more than 1000 digits is shortened; into a pipe or file it is\n"
    "written whole.\n"
    "A file holds one job per line (factorial 10); blank lines and what follows # are ignored.\n"
    "product and batch-gcd take integers: as arguments, @FILE or @- for stdin (one a line; blank\n"
    "lines and what follows # do not count; gzip is recognised), job:ID for a job's result,\n"
    "value:HASH for a stored value. They are uploaded first; the same list is sent once. A line\n"
    "that is not an integer is named, and nothing is submitted. batch-gcd prints LINE, WITH and\n"
    "GCD (in hexadecimal digits) for each integer that shares a factor with another one: LINE and\n"
    "WITH are lines of the file, or count the integers where these come from elsewhere; with k\n"
    "before it, of the known ones. WITH names 16 others at most, and is empty where nothing but\n"
    "known ones shares the factor. --json: {moduli, shared, duplicates, rows: [{line, with, "
    "known,\n"
    "gcd, duplicate}], id}.\n"
    "reduce NAME folds files by a program that `op add` stored: FILE, --files PATTERN, @- for\n"
    "stdin, job:ID for a job's result, or of a map for what each of its tasks wrote. It prints\n"
    "what the program makes, as it is. Needs a key of the role commands.\n"
    "When a line is wrong, nothing of the file is submitted, unless --follow is given. Results\n"
    "come in the file's order. --output writes a file whole or not at all, follows links, and\n"
    "writes devices and FIFOs in place; - is stdout. --json prints the finished job as `job show`\n"
    "does, one per line for a file.";

static const char show_details[] =
    "operations: how many of the plan are done, and how many were executed for it in all: more\n"
    "than the plan has when workers or coordinators failed or slow workers were given copies.\n"
    "lost: for each node that was lost with values that it alone held, how many operations were\n"
    "computed again for these; if any, losses: [{node, values, operations, computing_us}].\n"
    "--json: {id, kind, spec, key, owner, state, submitted, finished, operations: {done, total,\n"
    "executed}, result: {digits, sha256, text, head, tail}, converter, error}; with --ops also\n"
    "trace: [{name, operator, operands, node, attempt}]. What does not exist is null: result\n"
    "before the job is done, text of a result of more than 1000 digits (head and tail are then\n"
    "its ends), trace of a job of more than 4096 operations. sha256 is that of the decimal text.\n"
    "--timing: at each moment the job is in one phase, so the phases add up to its time, from the\n"
    "submit until its last entry is committed: computing (an operation of it is executed),\n"
    "converting (only conversions are), moving (a value is on its way), keeping (one is being\n"
    "written to disk), planning (the coordinator could hand something out), waiting (for workers,\n"
    "or its turn), announcing (an entry of the log is awaited), earlier (under a coordinator that\n"
    "is gone). --json: timing: {total_us, since, computing_us, ...}; since: the time from which\n"
    "on the coordinator knows, null: all of it. null when it does not know the job's time.";

static const char list_details[] =
    "The oldest first; --limit N shows the N newest of those chosen. --json: an array of what\n"
    "`job show` prints.";

static const char explain_details[] =
    "--json: what `job show` prints, with explanation, the lines, and details, the same lines as\n"
    "{topic, text}: topic is what stands before the colon (slowest, queued, next), else null.";

static const char forget_details[] =
    "Removes finished jobs from all nodes, with their results; the disks are freed within "
    "seconds.\n"
    "Name them by their ids, or take --all-finished, or --older 24h. A job that is not finished "
    "is\n"
    "refused (2): cancel it first. An id that is not known is, too (6); then nothing is "
    "forgotten.\n"
    "The keys of forgotten jobs stay used: a submit with one is refused (6). Without this command\n"
    "the oldest finished jobs are forgotten automatically: --keep-jobs and --keep-bytes of `up`, "
    "shown by\n"
    "`status`. --json: {forgotten, jobs: [ID], kept: {jobs, bytes}}; kept is what is left, null\n"
    "when no job matched.";

static const char result_details[] =
    "Prints only the decimal digits. They are checked against the job's SHA-256; if they differ,\n"
    "the exit code is 1 and what was printed is wrong. Of a job of tasks: what all that are done\n"
    "wrote to stdout, in their order; exit code 1 when some are missing.";

static const char progress_set_details[] =
    "Prints the state. Workers' results are added to it: each result that the coordinator accepts\n"
    "adds its operations to its node's state. --json: {node, state}.";

static const char progress_snap_details[] =
    "The first snap is 0. It holds every node's state at that moment, and no later change,\n"
    "failure or election alters it. With --key, a retry takes no second snap: the key of one of\n"
    "the latest 1000 snaps prints that snap's id again; an older one is refused (exit code 6).\n"
    "--json: {snapshot, key}.";

static const char progress_get_details[] =
    "Prints the state, 0 for a node that was never set. For a snap that was not taken yet it\n"
    "prints none, and the exit code is 6. --json: {node, snapshot, state}; null for none and now.";

static const char bank_change_details[] =
    "An account belongs to a node: alice@1 and alice@2 are different accounts. The first deposit\n"
    "makes it. Amounts and balances are whole numbers of minor units, at most 10^15 in all on a\n"
    "node. What cannot be done is refused with exit code 1 (no such account: 6), and nothing is\n"
    "changed. Prints the account's balance. --json: {account, node, amount, balance, key,\n"
    "repeated}; with a key that was used before, the answer is the first one again, even if it\n"
    "was a refusal, and repeated is true. A node remembers the last 65536 answers; an older key\n"
    "is refused, exit code 6, until 10,000,000 other keys came after it: then it counts as new.";

static const char bank_transfer_details[] =
    "Takes the money from one account and gives it to another, on the same node or another one.\n"
    "When the command returns the transfer is durable at the first node. It arrives at the second\n"
    "one once, as soon as that node is there, whatever fails in between; `bank list` shows what\n"
    "is in transit. Both accounts must exist. Prints the first account's balance.\n"
    "--json: {account, node, amount, balance, key, repeated}, of the first account.";

static const char bank_list_details[] =
    "Nodes are asked one after another: while money moves, the sum mixes different moments.\n"
    "--json: {nodes: [{node, accounts: {NAME: BALANCE, ...}, total, sent}], total, sent}; sent is\n"
    "what was sent to other nodes and not acknowledged by them: in transit, or just arrived.";

static const char bank_load_details[] =
    "First makes accounts load-0, load-1, ... on all nodes in turn, and funds each. Keeps to the\n"
    "rate while fewer than --window transfers wait for their answers. A latency is the time from\n"
    "the request to the answer: the transfer is durable at the payer's node. Refusals are counted\n"
    "by reason; after no_answer a transfer may have taken effect or not. Exit code 1 when none\n"
    "succeeded. --json: {nodes, accounts, deposited, seed, asked, transfers, refused,\n"
    "refusals: {CODE: N, ...}, duration_us, transfers_per_second,\n"
    "latency_us: {p50, p90, p99, max}}.";

static const char kv_put_details[] =
    "A value is UTF-8 text of at most 4096 bytes. With --from the command returns when it is\n"
    "durable at that node; values arrive once, in the order in which they were sent.\n"
    "--json: {name, value, node, from, key, repeated}.";

static const char kv_get_details[] =
    "Prints the value; exit code 6 when there is none. --json: {name, node, value}.";

static const char kv_del_details[] =
    "Returns when the value is gone from that node's disk; exit code 6 when there was none. Of\n"
    "several names all are tried, and the first failure is the exit code.\n"
    "--json: {name, node, key, repeated}, one a line for several names.";

static const char kv_list_details[] =
    "The values of all nodes, node by node, in the order of their names (bytes); with PREFIX\n"
    "those whose names begin with it. What changes meanwhile may or may not appear. Without "
    "--wide\n"
    "a long value is cut. --json: an array of {node, name, value}.";

static const char snapshot_take_details[] =
    "Waits until all nodes have reported, usually some milliseconds, and prints the id. A node\n"
    "that is dead, dies or is silent for longer than its --snapshot-timeout makes the snapshot\n"
    "partial: it is kept, the id is printed, stderr says what is missing, and the exit code is 1.\n"
    "--json: {snapshot_id, is_complete, missing, initiator, periodic, time, duration_us, bytes,\n"
    "states}; missing is null, or a text; states is the number of nodes whose state is in it.";

static const char snapshot_list_details[] =
    "Every node keeps the snapshots that it has taken. --json: an array of what `snapshot take`\n"
    "prints.";

static const char snapshot_show_details[] =
    "The id names the node that keeps it. MARKER is the node that sent the first marker, - for\n"
    "the initiator. --json: what `snapshot export` writes, but checkpoint is null; with --node\n"
    "only that node's state and the channels into it.";

static const char snapshot_export_details[] =
    "Writes JSON; - is stdout: {format, snapshot_id, is_complete, initiator, periodic, time,\n"
    "duration_us, bytes, processes, process_states, channel_states, missing, totals, coordinator,\n"
    "jobs, handed_out, checkpoint}; docs/snapshots.md describes them. The file is written whole\n"
    "or not at all. FILE.values gets the large values that its jobs need, from the nodes, which\n"
    "keep what a job has used up for a minute after the cut: export at once. `restore` needs both.";

static const char snapshot_verify_details[] =
    "Says what it checked: in every channel sent - received = recorded, and nothing that was sent\n"
    "after the cut; money in accounts, channels and outboxes, each transfer once; every operation\n"
    "of every running job in one place. Of a partial snapshot it says what cannot be known. Exit\n"
    "code 1 with what is wrong, 2 when the file is not a snapshot. --json: {snapshot_id,\n"
    "is_complete, is_consistent, checked, unknown, violations, money, channels, operations}.";

static const char snapshot_restore_details[] =
    "Makes the data directories of a fresh cluster: accounts, values and messages in transit as\n"
    "they were, and the running jobs as far as the log knew them. What was in the channels is\n"
    "sent again, in its order, before anything new. A job restarts when values of it are not in\n"
    "FILE.values. `conclave up --restore FILE` does both. With the id of a snapshot, of a cluster\n"
    "that runs, the values come from its nodes; when some are gone it says so and ends with\n"
    "code 2, unless --force is given. It refuses a directory with data in it (2), a snapshot that "
    "does not\n"
    "verify (1), and a partial one (2), saying what would be lost.\n"
    "--json: {snapshot_id, dir, nodes}.\n"
    "\n"
    "With --node it puts accounts, values and transfers in transit of one node back into its\n"
    "empty ledger: a node whose disk was lost and that the others have admitted again. No node\n"
    "may run in DIR. It compares with the stores of the others and says what is sent again, what\n"
    "may be counted twice or missing, and by how much the sum differs from that of the snapshot.\n"
    "--json: {snapshot_id, node, done, accounts, total, values, sent_again, notes}.\n"
    "docs/snapshots.md explains more.";

static const char value_put_details[] =
    "Uploads a file, or stdin with -, and prints its name: value: and the first digits of its\n"
    "SHA-256. What is there already is not sent again, and an upload that was interrupted "
    "continues\n"
    "where it was. Jobs take values by these names. A value is kept while a job names it, else 24\n"
    "h of the cluster's own time. --format integers reads a list as `submit product @FILE` does.\n"
    "--json: {value, id, sha256, format, name, owner, whole, bytes, uploaded, segments, items,\n"
    "age_ms, jobs}.";

static const char value_list_details[] = "UNUSED is for how long no job has named the value, - "
                                         "while one does. --json: an array of what\n"
                                         "`value put` prints.";

static const char value_get_details[] =
    "Writes the value's bytes, checked against its SHA-256. Any 4 or more digits behind value: "
    "name\n"
    "a value, if no other one begins so; an id does, too. --output writes the file whole or not "
    "at\n"
    "all; when the command is interrupted, the next one continues with what was fetched. A value "
    "of\n"
    "the format integers is in packed form, which docs/jobs.md describes.";

static const char value_rm_details[] =
    "Removes values. One that a job names is refused (1): forget the job first. When one of them\n"
    "is not known (6), or several begin with its digits (2), nothing is removed. --json: an array\n"
    "of what was removed.";

static const char status_details[] =
    "--json: {coordinator, term, quorum, healthy, nodes: [{id, host, pid, role, alive,\n"
    "incarnation, boots, term, operations, conversions, assigned, held, applied, rejected,\n"
    "committed, refused, forbidden, insecure,\n"
    "disk_full, held_bytes, spilled_bytes, unspillable, short_of_memory, longest_turn_us, "
    "longest_turn_in, longest_turn_own_us, longest_turn_own_in,\n"
    "longest_turn_page_faults, longest_turn_blocked, fsync: {count, sum_us, within_us}, refusal,\n"
    "version}],\n"
    "jobs: {queued, running, done, failed, cancelled}, kept: {jobs, bytes, jobs_max, bytes_max},\n"
    "brokers: [{address, alive, coordinator, forwarded, rejected, refused, keys_refused,\n"
    "insecure, dropped, waiting, pid, version}], operations, reassigned, copied, restarts, "
    "elections, may_fail, voters, troubles,\n"
    "error}. kept: the\n"
    "finished jobs that are remembered and the bytes of their results, and how much of both is\n"
    "kept at most (--keep-jobs, --keep-bytes). troubles is a list of lines: which process of\n"
    "DIR does not start, and why. Without a coordinator it shows what the broker knows;\n"
    "coordinator, term, jobs and kept are null, error says why, and the exit code is 3. An "
    "incarnation\n"
    "is a string of 16 hexadecimal digits. docs/operations.md explains the columns.";

static const char init_details[] =
    "A cluster founds itself as soon as all its voters are there; `status` names those that are\n"
    "missing. This command founds it with those that are there, when they are a majority; the\n"
    "others are admitted when they come. It is refused with exit code 1 when any node that can be\n"
    "reached belongs to a cluster, and with 3 when no majority is there: an empty disk is not a\n"
    "new cluster. A cluster whose disks were lost needs `conclave recover`.\n"
    "--json: {cluster_id, nodes, voters, missing}.";

static const char check_details[] =
    "Exit code 0 when a coordinator serves, every node is alive, and all processes that `up`\n"
    "started in DIR run; else 3, with one line that says why.";

static const char quota_details[] =
    "A key may have a number of jobs open (--quota-jobs of `up`). When the results of its "
    "finished\n"
    "jobs and its stored values reach a size (--quota-bytes), it can submit and upload nothing\n"
    "more until some are forgotten or removed, by `job forget` and `value rm` or automatically.\n"
    "Requests beyond a quota end with exit code 8, and change nothing. admin and monitor see all "
    "keys\n"
    "that have jobs or values, others only their own. Keys of admins have no quota, nor have\n"
    "clusters without keys. --json: {jobs_max, bytes_max, bounded, keys: [{name, open_jobs,\n"
    "kept_jobs, kept_bytes, values, value_bytes}]}; null: any number; bounded: whether they apply\n"
    "to the key that asks.";

static const char monitor_details[] =
    "One line per message until Ctrl-C. With --json one object per line: type is heartbeat or\n"
    "event, or gap where messages of a node were missed (from, to, missed). A feed may miss\n"
    "messages.";

static const char web_details[] =
    "Serves a page, an HTTP API and metrics for Prometheus until Ctrl-C, with the key that it is\n"
    "given: monitor to look, submit to have jobs done as well, admin for the jobs of all. It\n"
    "prints the page's address with the token, which everything that changes something needs\n"
    "(Authorization: Bearer TOKEN). Beyond loopback reading needs it, too; there is no TLS.\n"
    "  GET /metrics /api/status /api/events /api/jobs[?state=S&after=ID&limit=N] /api/jobs/ID\n"
    "      [?ops=1&timing=1] /api/jobs/ID/result /api/jobs/ID/explain\n"
    "  POST /api/jobs {\"kind\", \"spec\", \"key\", \"plan\"}   /api/jobs/ID/cancel\n"
    "Answers are what these commands print with --json; errors {\"error\": {\"code\", "
    "\"message\",\n"
    "\"exit\"}}. --json: {url, token_file} once it listens. docs/operations.md explains more.";

static const char run_details[] =
    "Starts a cluster in a temporary directory and on free ports, submits the job, prints the\n"
    "result as `submit` does, and removes everything, also on Ctrl-C.";

static const char keys_init_details[] =
    "`conclave up` does this for a cluster on one machine. For several machines: the keys of all\n"
    "nodes and brokers, and DIR/access.json, the admin's. --broker names the brokers as users\n"
    "reach them. Each machine gets its DIR/keys/nodeN.json or brokerN.json and "
    "DIR/keys/allowed.json\n"
    "beside it: conclave-node --access nodeN.json. What is there is left as it is.\n"
    "--json: {dir, nodes, brokers}. docs/security.md explains keys and roles.";

static const char keys_add_details[] =
    "Prints the file to hand out, DIR/keys/NAME.json: with it a user of another machine needs\n"
    "nothing else (--access FILE, or CONCLAVE_ACCESS). Roles: admin, everything; submit, jobs,\n"
    "values and accounts; commands, also programs; monitor, the feed and status. A cluster that\n"
    "runs is handed the new list, which all its processes have within two seconds; else the list "
    "in\n"
    "DIR counts when it starts. --json: {name, role, file}.";

static const char keys_revoke_details[] =
    "Takes the name's keys out of DIR/keys/allowed.json, and hands the list to the cluster if it\n"
    "runs: all its processes end the connections and subscriptions of these keys within two\n"
    "seconds, and no longer admit them. --json: {revoked}, one a line for several names.";

static const char keys_rotate_details[] =
    "Without a name: the keys of all. The file of each name is replaced; its old key is valid for\n"
    "--overlap. Copy the files to their machines, then start nodes and brokers\n"
    "again, one after the other. --json: {rotated: [NAME]}.\n"
    "--front: the key by which clients know the brokers' front doors, in all files of DIR. A "
    "broker\n"
    "has one key: let new ones run beside the old ones, at other ports (--broker), until all have\n"
    "their new files. {rotated: [front]}.";

static const char map_details[] =
    "Runs the command once for each input, on the nodes, and prints what it writes to stdout: "
    "whole\n"
    "tasks in the order of their inputs, or with -u as they end. A task may run more than once (a\n"
    "node died), its outcome counts once. Without --sh there is no shell. The first word ends the\n"
    "options; a command that begins with - comes after --. Commands run only on clusters with "
    "keys,\n"
    "for keys of the roles commands and admin.\n"
    "\n"
    "Inputs, each of which makes a task:\n"
    "  ::: A B C          these words; several ::: are a product, --link pairs them\n"
    "  :::: FILE          its lines, - for stdin; empty ones and those with # count\n"
    "  --csv FILE         its rows; the header names the columns: {name}, or {1} {2}\n"
    "  --array 1-50:2     1, 3, 5 and so on\n"
    "  --files 'data/*'   files, each sent with its task; no match is an error\n"
    "  else               the lines of stdin; when that is a terminal, exit code 2\n"
    "--csv, --array and --files may also stand at the very end, unless -- was used.\n"
    "\n"
    "In the command:\n"
    "  {}    the input             {.}   without extension   {#}  the task's number\n"
    "  {/}   its base name         {//}  its directory       {/.} both\n"
    "  {2}   the second of several {name} of that column     {2/} {name.} combined\n"
    "Without any of these the inputs are appended, unless they are the stdin (--stdin; with "
    "--files\n"
    "that is what is in the file). A {} that is a word of its own becomes one word for each of\n"
    "several inputs. Other braces stay. With --sh inputs are quoted, whatever bytes they have, so\n"
    "{} itself must not stand in quotes. CONCLAVE_INPUT has the input, too; one of more than 128 "
    "KiB\n"
    "with that name is in the file CONCLAVE_INPUT_FILE instead.\n"
    "\n"
    "Files of --files and --upload are in the task's directory under the names that they are "
    "given,\n"
    "up to 1 GiB of them for a task and 8 GiB for the job.\n"
    "\n"
    "Examples:\n"
    "  conclave map gzip -9 {} ::: /srv/a.txt /srv/b.txt\n"
    "  conclave map --retries 2 ./run --seed {1} --size {2} ::: 1 2 3 ::: small large\n"
    "  conclave map --dir out --csv jobs.csv -- ./train --rate {rate} -o {name}.bin\n"
    "  ls *.wav | conclave map --dry-run --sh 'sox {} {.}.mp3 && rm {}'\n"
    "\n"
    "Ctrl-C and --timeout do not end the job: it continues. --dir writes DIR/17.out, DIR/17.err\n"
    "(if something is in it) and DIR/joblog.tsv; what is there already stays. Exit code 0 when "
    "all\n"
    "tasks are done, 1 when some failed or were lost, 5 when the job was cancelled.\n"
    "--reduce folds what the tasks wrote to stdout, in input order, by an operator (op add), once\n"
    "all are done; `submit reduce NAME job:ID` does so later.\n"
    "--speculate: when no task is waiting, one that takes twice what the others took on\n"
    "average, and 3 s at least, is executed on another node, too; the first that is done "
    "counts.\n"
    "--json prints the finished job as `job show` does; with --dry-run {task, inputs, command} "
    "for\n"
    "each task, one a line.";

static const char tasks_details[] =
    "One line a task, in 80 columns. --json: one object a line: {task, input, state, node, "
    "attempt,\n"
    "reason, exit, signal, started, finished, wall_us, cpu_us, max_rss, stdout: {bytes, sha256,\n"
    "cut}, stderr, files}; what is not known is null.";

static const char outputs_details[] =
    "Prints what tasks wrote to stdout that have ended: whole tasks, in their order, each checked\n"
    "against its SHA-256. --follow waits for the others. --dir writes DIR/17.out, DIR/17.err (if\n"
    "something is in it) and DIR/joblog.tsv; what is there already with the same bytes stays.";

static const char log_details[] =
    "Seq, Host, Starttime, JobRuntime, Send, Receive, Exitval, Signal, Command, with tabs between\n"
    "them: GNU parallel's joblog, of the tasks that have ended.";

static const char retry_details[] =
    "Makes a new job of the tasks that failed, were lost or cancelled, with their numbers, and\n"
    "prints its id. Those that are done stay so. --merged of `job tasks`, `job output` and `job\n"
    "log` shows the latest outcome of each task; `job result` always does.";

static const char op_add_details[] =
    "Stores the program in the cluster, under the name, for jobs that fold files: submit reduce.\n"
    "A program takes the paths of 2 to 4 files and writes one to stdout, exit code 0; it must be\n"
    "associative and give the same bytes every time: `op check` looks. It runs on the nodes, in "
    "an\n"
    "empty directory of its own with the files, so what else it needs must be installed there.\n"
    "From then on the name means this program, for this key; existing jobs keep the one that\n"
    "they began with. With --commutative short files are folded with short ones. Needs a key of\n"
    "the role commands. --json: {name, value, sha256, owner, bytes}.";

static const char op_list_details[] =
    "The operators that this key may see: its own, an admin's all. --json: an array of what op\n"
    "add prints.";

static const char op_show_details[] =
    "NAME, or value:HASH for one that a newer one has replaced. --json: what op add prints, and\n"
    "{added, program_bytes, time_limit_us, commutative, text}.";

static const char op_rm_details[] =
    "Removes the operator of this key; a job that names it keeps it until it is forgotten.";

static const char op_check_details[] =
    "An operator is a program that folds 2 to 4 files into one: merge.sh FILE1 FILE2 [FILE3\n"
    "FILE4], its result on stdout, exit code 0. A cluster combines values in any shape that keeps\n"
    "their order, so all must give the same bytes. This command runs the program here, on two or\n"
    "more files, in several shapes, the first one twice: ((a b) c) d, a (b (c d)), a tree of\n"
    "pairs, of threes, of fours. Exit code 0 when all results are equal, else 1 with the two that\n"
    "differ; also 1 when the program fails or takes longer than --time-limit. --json: {equal,\n"
    "shapes: [{shape, sha256, bytes, runs}]}.\n"
    "NAME is the program's path, with a slash: ./merge.sh; or an operator of the cluster, or\n"
    "value:HASH. The files are read in place.";

static const char kinds_details[] = "Needs no cluster: these are the kinds that this program "
                                    "knows. --json: [{kind, example, about}].";

const struct command commands[] = {
    {"up", "", "Start a supervised cluster on this machine", up_details, up_options, up_run},
    {"down", "", "Stop the cluster", down_details, down_options, down_run},
    {"recover", "[[ID=]NODE_DIR...]", "Continue after a majority of the voters' disks was lost",
     recover_details, recover_options, recover_run},
    {"run", "KIND SPEC...", "One job on a temporary cluster: run factorial 10000", run_details,
     run_options, run_run},
    {"submit", "KIND SPEC...", "Submit a job and wait for its result: submit factorial 10",
     submit_details, submit_options, submit_run},
    {"map", "[--] CMD ARG... [::: A B...]", "Run a command over inputs: map gzip {} ::: a b",
     map_details, map_options, map_run},
    {"op add", "NAME PROGRAM", "Store a program that folds files, for submit reduce",
     op_add_details, op_add_options, op_add_run},
    {"op list", "", "List operators", op_list_details, op_list_options, op_list_run},
    {"op show", "NAME...", "Show operators", op_show_details, NULL, op_show_run},
    {"op rm", "NAME...", "Remove operators", op_rm_details, NULL, op_rm_run},
    {"op check", "NAME FILE FILE...", "Check a program that folds files: all shapes give the same",
     op_check_details, op_check_options, op_check_run},
    {"kinds", "", "List the kinds of jobs, with examples", kinds_details, NULL, kinds_run},
    {"job list", "[ID...]", "List jobs, all or these", list_details, job_list_options,
     job_list_run},
    {"job show", "ID...", "Show jobs", show_details, job_show_options, job_show_run},
    {"job wait", "ID...", "Wait for jobs, then print their results as submit does", NULL,
     job_output_options, job_wait_run},
    {"job result", "ID", "Print the digits of a job's result", result_details, job_output_options,
     job_result_run},
    {"job cancel", "ID...", "Cancel jobs", NULL, NULL, job_cancel_run},
    {"job tasks", "ID", "List the tasks of a job: states, nodes, exit codes", tasks_details,
     job_tasks_options, job_tasks_run},
    {"job output", "ID", "Print what the tasks of a job wrote", outputs_details,
     job_outputs_options, job_outputs_run},
    {"job log", "ID", "Print the tasks of a job as GNU parallel's joblog", log_details,
     job_log_options, job_log_run},
    {"job retry", "ID", "Run again the tasks that are not done; prints an id", retry_details,
     job_retry_options, job_retry_run},
    {"job forget", "[ID ...]", "Forget finished jobs and their results", forget_details,
     job_forget_options, job_forget_run},
    {"job explain", "ID...", "Explain what jobs are waiting for", explain_details, NULL,
     job_explain_run},
    {"progress set", "NODE STATE", "Set a node's progress: the operations it has completed",
     progress_set_details, NULL, progress_set_run},
    {"progress snap", "", "Take a snap of every node's progress; prints its id",
     progress_snap_details, progress_snap_options, progress_snap_run},
    {"progress get", "NODE", "Print a node's progress, now or in a snap", progress_get_details,
     progress_get_options, progress_get_run},
    {"bank deposit", "ACCOUNT@NODE AMOUNT", "Add money to an account; the first deposit makes it",
     bank_change_details, bank_change_options, bank_deposit_run},
    {"bank withdraw", "ACCOUNT@NODE AMOUNT", "Take money from an account", bank_change_details,
     bank_change_options, bank_withdraw_run},
    {"bank balance", "ACCOUNT@NODE...", "Print the balances of accounts", NULL, NULL,
     bank_balance_run},
    {"bank transfer", "FROM@NODE TO@NODE AMOUNT", "Move money between accounts",
     bank_transfer_details, bank_change_options, bank_transfer_run},
    {"bank list", "", "List accounts, with their sum", bank_list_details, bank_list_options,
     bank_list_run},
    {"bank load", "", "Transfer between random accounts of all nodes, and measure",
     bank_load_details, bank_load_options, bank_load_run},
    {"kv put", "NAME VALUE", "Put a value on a node, or send it there from another one",
     kv_put_details, kv_put_options, kv_put_run},
    {"kv get", "NAME...", "Print values of a node", kv_get_details, kv_get_options, kv_get_run},
    {"kv del", "NAME...", "Delete values of a node", kv_del_details, kv_del_options, kv_del_run},
    {"kv list", "[PREFIX]", "List values, all or those whose names begin with PREFIX",
     kv_list_details, kv_list_options, kv_list_run},
    {"value put", "FILE|-", "Upload a file; prints its name", value_put_details, value_put_options,
     value_put_run},
    {"value list", "", "List stored values", value_list_details, value_list_options,
     value_list_run},
    {"value get", "VALUE", "Print a stored value, or write it to a file", value_get_details,
     value_get_options, value_get_run},
    {"value rm", "VALUE...", "Remove stored values", value_rm_details, NULL, value_rm_run},
    {"snapshot take", "", "Take a consistent snapshot of all nodes and channels; prints its id",
     snapshot_take_details, snapshot_take_options, snapshot_take_run},
    {"snapshot list", "", "List the snapshots that are kept", snapshot_list_details,
     snapshot_list_options, snapshot_list_run},
    {"snapshot show", "ID", "Show a snapshot: nodes, channels, totals", snapshot_show_details,
     snapshot_show_options, snapshot_show_run},
    {"snapshot export", "ID FILE", "Write a snapshot to a file as JSON", snapshot_export_details,
     NULL, snapshot_export_run},
    {"snapshot verify", "ID|FILE", "Check that a snapshot is consistent", snapshot_verify_details,
     snapshot_verify_options, snapshot_verify_run},
    {"snapshot restore", "FILE|ID", "Prepare a fresh cluster that continues from a snapshot",
     snapshot_restore_details, snapshot_restore_options, snapshot_restore_run},
    {"status", "", "Show the cluster: coordinator, nodes, jobs, brokers", status_details,
     status_options, status_run},
    {"quota", "", "Show how many jobs and bytes keys have, and may have", quota_details,
     quota_options, quota_run},
    {"init", "", "Found a new cluster while voters are missing", init_details, init_options,
     init_run},
    {"check", "", "Check that the cluster is healthy, for health checks and cron", check_details,
     check_options, check_run},
    {"monitor", "", "Tail the nodes' heartbeats and events", monitor_details, monitor_options,
     monitor_run},
    {"web", "", "Serve a dashboard, an HTTP API and metrics", web_details, web_options, web_run},
    {"keys init", "", "Make the keys of a cluster on several machines", keys_init_details,
     keys_init_options, keys_init_run},
    {"keys add", "NAME", "Make a key for a user; prints the file to hand out", keys_add_details,
     keys_add_options, keys_add_run},
    {"keys list", "", "List who has a key, with roles", NULL, keys_list_options, keys_list_run},
    {"keys revoke", "NAME...", "Revoke keys", keys_revoke_details, keys_options, keys_revoke_run},
    {"keys rotate", "[NAME ...]", "Replace keys by new ones", keys_rotate_details,
     keys_rotate_options, keys_rotate_run},
    {"completion", "bash|zsh|fish", "Print what a shell needs to complete commands and options",
     completion_details, NULL, completion_run},
    {"version", "", "Show the version", NULL, NULL, version_run},
    {"help", "[COMMAND]", "Show help", NULL, NULL, help_run},
    {0}};
