/* commands.c - the table of commands: what `conclave` can do, and what its help says about it. */
#include "clients/command/commands.h"

#include "clients/command/help.h"

static const char up_details[] =
    "Starts the nodes and a broker, and restarts what dies. Without --detach it prints what\n"
    "happens, and Ctrl-C stops the cluster; with it, it returns once a coordinator serves.\n\n"
    "DIR holds nodeN/ (data), nodeN.log, broker.log and supervisor.log; cluster.json and\n"
    "supervisor.json while it runs; access.json and keys/, made at the first start (not with\n"
    "--insecure: then anyone who can reach the ports can do everything); and founded.json,\n"
    "which records nodes, voters, port and brokers. The next `conclave up` in DIR continues\n"
    "with these and with the data. A different number of nodes or voters is refused (2), and so\n"
    "is a DIR whose stores are all gone.\n\n"
    "Once a coordinator has served, no process stops the others: one that cannot start is tried\n"
    "again and again, and `status` names it. Before that, `up` ends when a process refuses its\n"
    "configuration (2) or too many voters cannot start (1).\n\n"
    "--json: {pid, dir, port, nodes, broker, coordinator, term, troubles}; troubles is a list\n"
    "of lines, one for each process that does not start.";

static const char recover_details[] =
    "When a majority of the voters' disks is lost, the rest cannot serve. While no node runs,\n"
    "this command lists what each store holds, chooses the most complete one, and says what may\n"
    "be lost. With --yes the cluster continues from there: all stores that are named get its\n"
    "log and values and a new cluster id, so that disks that come back later are refused.\n"
    "Ledgers stay as they are. What is replaced is kept in NODE_DIR.replaced-ID. Instead of\n"
    "--dir, arguments may name the directories of nodes (ID=DIR for an empty one). The command\n"
    "may be interrupted and repeated. The exit code is 1 without --yes, 2 when a majority is\n"
    "there or a node runs, 6 when there is no store.\n\n"
    "--json: {done, cluster_id, from, stores: [{node, dir, state, cluster_id, term, last_term,\n"
    "last_index, jobs, ...}], lost}.";

static const char down_details[] =
    "Stops the cluster that runs in DIR; its data is kept. Exit code 0 even if none runs in\n"
    "DIR, 6 when there is no such directory.";

static const char submit_details[] =
    "Prints the result (10!=3628800) as soon as it is known. When a broker is lost or the\n"
    "coordinator changes, it keeps waiting for a job that was accepted, for as long as it\n"
    "takes. On a terminal a result of more than 1000 digits is shortened; into a pipe or file\n"
    "it is written whole. --output writes a file whole or not at all, follows links, and writes\n"
    "devices and FIFOs in place; - is stdout.\n\n"
    "product and batch-gcd take integers: as arguments, @FILE or @- for stdin (one a line;\n"
    "blank lines and what follows # are ignored; gzip is recognised), job:ID for a job's\n"
    "result, value:HASH for a stored value. They are uploaded first; the same list is sent\n"
    "once. A line that is not an integer is named, and nothing is submitted.\n\n"
    "batch-gcd prints LINE, WITH and GCD (in hexadecimal digits) for each integer that shares a\n"
    "factor with another one. LINE and WITH are line numbers of the file, or number the\n"
    "integers if they come from elsewhere; with k before it, a number is that of a known\n"
    "integer. WITH names at most 16 others, and is empty if only known ones share the factor.\n"
    "--json: {moduli, shared, duplicates, rows: [{line, with, known, gcd, duplicate}], id}.\n\n"
    "reduce NAME folds files with a program that `op add` stored: FILE, --files PATTERN, @- for\n"
    "stdin, job:ID for a job's result or, for a map, what each of its tasks wrote. It prints\n"
    "exactly what the program makes. Needs a key of the role commands.\n\n"
    "--file JOBS submits one job per line (factorial 10); blank lines and what follows # are\n"
    "ignored. When a line is wrong, nothing of the file is submitted, unless --follow is given.\n"
    "Results are printed in the order of the file.\n\n"
    "--json prints the finished job as `job show` does, one per line for a file.";

static const char show_details[] =
    "operations: how many of the plan are done, and how many were executed in all: more than\n"
    "the plan has when workers or coordinators failed, or slow operations were copied. lost:\n"
    "for each node that was lost with values that it alone held, how many operations were\n"
    "computed again for these.\n\n"
    "--timing: at each moment the job is in one phase, so the phases add up to its time, from\n"
    "the submit until its last entry is committed: computing (an operation of it is executed),\n"
    "converting (only conversions are), moving (a value is in transit), keeping (one is being\n"
    "written to disk), planning (the coordinator could hand something out), waiting (for\n"
    "workers, or its turn), announcing (an entry of the log is awaited), earlier (under a\n"
    "former coordinator).\n\n"
    "--json: {id, kind, spec, key, owner, state, submitted, finished, operations: {done, total,\n"
    "executed}, result: {digits, sha256, text, head, tail}, converter, error}; if values were\n"
    "lost, also losses: [{node, values, operations, computing_us}]; with --ops, trace: [{name,\n"
    "operator, operands, node, attempt}]; with --timing, timing: {total_us, since,\n"
    "computing_us, ...}, where since is the time from which on the coordinator knows, null: all\n"
    "of it. What does not exist is null: result before the job is done, text of a result of\n"
    "more than 1000 digits (head and tail are then its ends), trace of a job of more than 4096\n"
    "operations, timing that the coordinator does not know. sha256 is that of the decimal text.";

static const char list_details[] =
    "The oldest first; --limit N shows the N newest of those chosen. --json: an array of what\n"
    "`job show` prints.";

static const char explain_details[] =
    "--json: what `job show` prints, with explanation, the lines, and details, the same lines\n"
    "as {topic, text}: topic is what precedes the colon (slowest, queued, next), else null.";

static const char forget_details[] =
    "Removes finished jobs from all nodes, with their results; disk space is freed within\n"
    "seconds. Name the jobs by their ids, or give --all-finished, or --older 24h. A job that is\n"
    "not finished is refused (2): cancel it first. So is an unknown id (6). In both cases\n"
    "nothing is forgotten. The keys of forgotten jobs remain used: a submit with one is refused\n"
    "(6). Without this command the oldest finished jobs are forgotten automatically, by\n"
    "--keep-jobs and --keep-bytes of `up`, which `status` shows.\n\n"
    "--json: {forgotten, jobs: [ID], kept: {jobs, bytes}}; kept is what is left, null when no\n"
    "job matched.";

static const char result_details[] =
    "Prints only the decimal digits. They are checked against the job's SHA-256; if they\n"
    "differ, the exit code is 1 and what was printed is wrong. For a job of tasks: what all\n"
    "tasks that are done wrote to stdout, in their order; exit code 1 when some are missing.\n"
    "\n"
    "--range A:B prints the bytes from offset A (default 0) up to before B (default: the end); a\n"
    "sign or a point counts. Only that part is fetched. The SHA-256 is that of the whole result,\n"
    "so a part cannot be checked against it. Not for a job of tasks.";

static const char progress_set_details[] =
    "Prints the state. Each result that the coordinator accepts from a worker adds its\n"
    "operations to that node's state. --json: {node, state}.";

static const char progress_snap_details[] =
    "The first snap is 0. It holds every node's state at that moment, and no later change,\n"
    "failure or election alters it. With --key, a retry takes no second snap: the key of one of\n"
    "the latest 1000 snaps prints that snap's id again; an older one is refused (exit code 6).\n"
    "--json: {snapshot, key}.";

static const char progress_get_details[] =
    "Prints the state; it is 0 for a node that was never set. For a snap that was not taken yet\n"
    "it prints none, and the exit code is 6. --json: {node, snapshot, state}; state is null for\n"
    "none, snapshot is null without --snapshot.";

static const char bank_change_details[] =
    "An account belongs to a node: alice@1 and alice@2 are different accounts. The first\n"
    "deposit creates it. Amounts and balances are whole numbers of minor units, at most 10^15\n"
    "in all on a node. What cannot be done is refused with exit code 1 (no such account: 6),\n"
    "and nothing is changed. Prints the account's balance. With a key that was used before, the\n"
    "answer is the first one again, even if it was a refusal. A node remembers the last 65536\n"
    "answers; an older key is refused, exit code 6, until 10,000,000 other keys came after it:\n"
    "then it counts as new.\n\n"
    "--json: {account, node, amount, balance, key, repeated}; repeated: the key was used\n"
    "before.";

static const char bank_transfer_details[] =
    "Moves money from one account to another, on the same node or on another one. When the\n"
    "command returns, the transfer is durable at the first node. It arrives at the second node\n"
    "once, as soon as that node can be reached, whatever fails in between; `bank list` shows\n"
    "what is in transit. Both accounts must exist. Prints the first account's balance.\n\n"
    "--json: {account, node, amount, balance, key, repeated}, of the first account.";

static const char bank_list_details[] =
    "Nodes are asked one after another: while money moves, the sum mixes different moments.\n\n"
    "--json: {nodes: [{node, accounts: {NAME: BALANCE, ...}, total, sent}], total, sent}; sent\n"
    "is what was sent to other nodes and not acknowledged by them: in transit, or just arrived.";

static const char bank_load_details[] =
    "First creates accounts load-0, load-1, ... on all nodes in turn, and funds each. Keeps to\n"
    "the rate while fewer than --window transfers wait for their answers. A latency is the time\n"
    "from the request to the answer: the transfer is durable at the payer's node. Refusals are\n"
    "counted by reason; after no_answer a transfer may have taken effect or not. Exit code 1\n"
    "when none succeeded.\n\n"
    "--json: {nodes, accounts, deposited, seed, asked, transfers, refused, refusals: {CODE: N,\n"
    "...}, duration_us, transfers_per_second, latency_us: {p50, p90, p99, max}}.";

static const char kv_put_details[] =
    "A value is UTF-8 text of at most 4096 bytes. With --from the command returns when it is\n"
    "durable at that node; values arrive once, in the order in which they were sent. --json:\n"
    "{name, value, node, from, key, repeated}.";

static const char kv_get_details[] =
    "Prints the value; exit code 6 when there is none. --json: {name, node, value}.";

static const char kv_del_details[] =
    "Returns when the value is gone from that node's disk; exit code 6 when there was none.\n"
    "With several names all are tried, and the first failure is the exit code. --json: {name,\n"
    "node, key, repeated}, one a line for several names.";

static const char kv_list_details[] =
    "Lists the values of all nodes, node by node, ordered by name (bytes); with PREFIX only\n"
    "those whose names begin with it. Changes made meanwhile may or may not appear. Without\n"
    "--wide a long value is cut. --json: an array of {node, name, value}.";

static const char snapshot_take_details[] =
    "Waits until all nodes have reported, usually some milliseconds, and prints the id. A node\n"
    "that is dead, dies or is silent for longer than its --snapshot-timeout makes the snapshot\n"
    "partial: it is kept, the id is printed, stderr says what is missing, and the exit code is\n"
    "1.\n\n"
    "--json: {snapshot_id, is_complete, missing, initiator, periodic, time, duration_us, bytes,\n"
    "states}; missing is null, or a text; states is the number of nodes whose state is in it.";

static const char snapshot_list_details[] =
    "Every node keeps the snapshots that it has taken. --json: an array of what `snapshot take`\n"
    "prints.";

static const char snapshot_show_details[] =
    "The id names the node that keeps the snapshot. MARKER is the node that sent the first\n"
    "marker, - for the initiator. --json: what `snapshot export` writes, except that checkpoint\n"
    "is null; with --node only that node's state and the channels into it.";

static const char snapshot_export_details[] =
    "Writes JSON; - is stdout: {format, snapshot_id, is_complete, initiator, periodic, time,\n"
    "duration_us, bytes, processes, process_states, channel_states, missing, totals,\n"
    "coordinator, jobs, handed_out, checkpoint}; docs/snapshots.md describes them. The file is\n"
    "written whole or not at all. FILE.values gets the large values that its jobs need, from\n"
    "the nodes. Nodes keep what a job has used up for a minute after the cut: export at once.\n"
    "`restore` needs both.";

static const char snapshot_verify_details[] =
    "Says what it checked: that in every channel sent - received = recorded, and nothing\n"
    "recorded was sent after the cut; that money in accounts, channels and outboxes adds up,\n"
    "each transfer counted once; that every operation of every running job is in one place. For\n"
    "a partial snapshot it says what cannot be known. Exit code 1 with what is wrong, 2 when\n"
    "the file is not a snapshot.\n\n"
    "--json: {snapshot_id, is_complete, is_consistent, checked, unknown, violations, money,\n"
    "channels, operations}.";

static const char snapshot_restore_details[] =
    "Creates the data directories of a fresh cluster: accounts, values and messages in transit\n"
    "as they were, and the running jobs as far as the log knew them. What was in the channels\n"
    "is sent again, in its order, before anything new. A job restarts when values of it are not\n"
    "in FILE.values. `conclave up --restore FILE` restores and starts. With the id of a\n"
    "snapshot of a running cluster, the values come from its nodes; when some are gone it says\n"
    "so and ends with code 2, unless --force is given. It refuses a directory with data in it\n"
    "(2), a snapshot that does not verify (1), and a partial one (2), saying what would be\n"
    "lost. --json: {snapshot_id, dir, nodes}.\n\n"
    "With --node it restores accounts, values and transfers in transit of one node to its empty\n"
    "ledger: a node whose disk was lost and that the others have admitted again. No node may\n"
    "run in DIR. It compares with the stores of the others and says what is sent again, what\n"
    "may be counted twice or missing, and by how much the sum differs from that of the\n"
    "snapshot. --json: {snapshot_id, node, done, accounts, total, values, sent_again, notes}.\n"
    "docs/snapshots.md explains more.";

static const char value_put_details[] =
    "Uploads a file, or stdin with -, and prints its name: value: and the first digits of its\n"
    "SHA-256. Jobs take values by these names. What is there already is not sent again, and an\n"
    "interrupted upload resumes. A value is kept while a job names it, otherwise for 24 h of\n"
    "the cluster's own time. --format integers reads a list as `submit product @FILE` does.\n\n"
    "--json: {value, id, sha256, format, name, owner, whole, bytes, uploaded, segments, items,\n"
    "age_ms, jobs}.";

static const char value_list_details[] =
    "UNUSED is for how long no job has named the value, - while one does. --json: an array of\n"
    "what `value put` prints.";

static const char value_get_details[] =
    "Writes the value's bytes, checked against its SHA-256. The first 4 or more digits after\n"
    "value: name a value, if no other one begins with them; an id does, too. --output writes\n"
    "the file whole or not at all; after an interruption the next command continues with what\n"
    "was fetched. A value of the format integers is in packed form, which docs/jobs.md\n"
    "describes.";

static const char value_rm_details[] =
    "A value that a job names is refused (1): forget the job first. When one of them is not\n"
    "known (6), or its digits begin several values (2), nothing is removed. --json: an array of\n"
    "what was removed.";

static const char status_details[] =
    "kept: the finished jobs that are remembered and the bytes of their results, and the limits\n"
    "of both (--keep-jobs, --keep-bytes). troubles is a list of lines: which process of DIR\n"
    "does not start, and why. Without a coordinator it shows what the broker knows, and the\n"
    "exit code is 3. With --timeout it waits so long for one. docs/operations.md explains the\n"
    "columns.\n\n"
    "--json: {coordinator, term, quorum, healthy, nodes: [{id, host, pid, role, alive,\n"
    "incarnation, boots, term, operations, conversions, assigned, held, applied, rejected,\n"
    "committed, refused, forbidden, insecure, disk_full, held_bytes, spilled_bytes,\n"
    "unspillable, short_of_memory, longest_turn_us, longest_turn_in, longest_turn_own_us,\n"
    "longest_turn_own_in, longest_turn_page_faults, longest_turn_blocked, fsync: {count,\n"
    "sum_us, within_us}, refusal, version}], jobs: {queued, running, done, failed, cancelled},\n"
    "kept: {jobs, bytes, jobs_max, bytes_max}, brokers: [{address, alive, coordinator,\n"
    "forwarded, rejected, refused, keys_refused, insecure, dropped, waiting, pid, version}],\n"
    "operations, reassigned, copied, restarts, elections, may_fail, voters, troubles, error}.\n"
    "Without a coordinator, coordinator, term, jobs and kept are null, and error says why. An\n"
    "incarnation is a string of 16 hexadecimal digits.";

static const char init_details[] =
    "A cluster founds itself as soon as all its voters can be reached; `status` names those\n"
    "that are missing. This command founds it with those that are there, if they are a\n"
    "majority; the others are admitted when they come. It is refused with exit code 1 when any\n"
    "node that can be reached belongs to a cluster, and with 3 when there is no majority: an\n"
    "empty disk is not a new cluster. A cluster whose disks were lost needs `conclave recover`.\n"
    "--json: {cluster_id, nodes, voters, missing}.";

static const char check_details[] =
    "Exit code 0 when a coordinator serves, every node is alive and keeps up, and all processes\n"
    "that `up` started in DIR run; else 3, with one line that says why. With --timeout it waits\n"
    "so long for a coordinator.";

static const char quota_details[] =
    "A key may have a number of jobs open (--quota-jobs of `up`). When the results of its\n"
    "finished jobs and its stored values reach a size (--quota-bytes), it can submit and upload\n"
    "nothing more until some are forgotten or removed, by `job forget` and `value rm` or\n"
    "automatically. Requests beyond a quota end with exit code 8, and change nothing. admin and\n"
    "monitor see all keys that have jobs or values, others only their own. Keys of admins have\n"
    "no quota, and neither has a cluster without keys.\n\n"
    "--json: {jobs_max, bytes_max, bounded, keys: [{name, open_jobs, kept_jobs, kept_bytes,\n"
    "values, value_bytes}]}; null: any number; bounded: whether they apply to the key that\n"
    "asks.";

static const char monitor_details[] =
    "Prints one line per message until Ctrl-C. The feed may miss messages; monitor says where.\n"
    "--json: one object per line: type is heartbeat or event, or gap where messages of a node\n"
    "were missed (from, to, missed).";

static const char web_details[] =
    "Serves a page, an HTTP API and metrics for Prometheus until Ctrl-C, with the key that it\n"
    "is given: monitor to look, submit to submit jobs as well, admin for everyone's jobs. It\n"
    "prints the page's address with the token, which every request that changes something needs\n"
    "(Authorization: Bearer TOKEN). Beyond loopback reading needs it, too; there is no TLS.\n"
    "  GET  /metrics /api/status /api/events /api/jobs[?state=S&after=ID&limit=N]\n"
    "       /api/jobs/ID[?ops=1&timing=1], and below it /result /explain /tasks /output\n"
    "  POST /api/jobs {\"kind\", \"spec\" or \"inputs\", \"key\", \"plan\"}\n"
    "       /api/jobs/ID/cancel\n"
    "Answers are what these commands print with --json; errors {\"error\": {\"code\",\n"
    "\"message\", \"exit\"}}. --json: {url, token_file} once it listens. docs/operations.md\n"
    "explains more.";

static const char run_details[] =
    "Starts a cluster in a temporary directory and on free ports, submits the job, prints the\n"
    "result as `submit` does, and removes everything, also on Ctrl-C.";

static const char keys_init_details[] =
    "Makes the keys of all nodes and brokers, and DIR/access.json, the admin's; for a cluster\n"
    "on one machine `conclave up` does this. --broker names the brokers as users reach them.\n"
    "Copy to each machine its DIR/keys/nodeN.json or brokerN.json, and DIR/keys/allowed.json\n"
    "beside it: conclave-node --access nodeN.json. Existing files are left as they are. --json:\n"
    "{dir, nodes, brokers}. docs/security.md explains keys and roles.";

static const char keys_add_details[] =
    "Prints the path of the file to hand out, DIR/keys/NAME.json: a user on another machine\n"
    "needs nothing else (--access FILE, or CONCLAVE_ACCESS). Roles: admin: everything; submit:\n"
    "jobs, values and accounts; commands: also programs; monitor: the feed and status. A\n"
    "running cluster is given the new list, which all its processes have within two seconds;\n"
    "else the list in DIR counts when it starts. --json: {name, role, file}.";

static const char keys_revoke_details[] =
    "Removes the keys from DIR/keys/allowed.json, and gives the list to the cluster if it runs:\n"
    "within two seconds all its processes end the connections and subscriptions of these keys,\n"
    "and no longer admit them. --json: {revoked}, one a line for several names.";

static const char keys_rotate_details[] =
    "Without a name, all keys. Each name's file is replaced; its old key stays valid for\n"
    "--overlap. Copy the files to their machines, then restart nodes and brokers, one after the\n"
    "other. --json: {rotated: [NAME]}.\n\n"
    "--front replaces the key by which clients know the brokers' front doors, in all files of\n"
    "DIR. A broker has one key: let new brokers run beside the old ones, at other ports\n"
    "(--broker), until everyone has the new files. --json: {rotated: [front]}.";

static const char map_details[] =
    "Runs the command once for each input, on the nodes, and prints what it writes to stdout:\n"
    "whole tasks in the order of their inputs, or with -u as they end. A task may run more than\n"
    "once (if its node dies), but its outcome counts once. Without --sh no shell is involved.\n"
    "Options end at the first other word; a command that begins with - must follow --. Commands\n"
    "run only on clusters with keys, for keys of the roles commands and admin.\n\n"
    "Inputs, each of which makes a task:\n"
    "  ::: A B C          these words; several ::: are combined, --link pairs them\n"
    "  :::: FILE          its lines, - for stdin; empty ones and those with # count\n"
    "  --csv FILE         its rows; the header names the columns: {name}, or {1} {2}\n"
    "  --array 1-50:2     1, 3, 5 and so on\n"
    "  --files 'data/*'   files, each sent with its task; no match is an error\n"
    "  else               the lines of stdin; when that is a terminal, exit code 2\n"
    "--csv, --array and --files may also come at the very end, unless -- was used.\n\n"
    "In the command:\n"
    "  {}       the input\n"
    "  {.}      the input without its extension\n"
    "  {/}      its base name; {/.} without the extension; {//} its directory\n"
    "  {#}      the task's number\n"
    "  {2}      the second of several inputs; {2.}, {2/} and so on\n"
    "  {name}   the column of that name; {name.} and so on\n"
    "Without any of these the inputs are appended, unless they go to stdin (--stdin; with\n"
    "--files the content of the file does). A {} that is a separate word becomes one word for\n"
    "each of several inputs. Other braces stay. With --sh inputs are quoted, whatever bytes\n"
    "they hold, so {} itself must not be in quotes. CONCLAVE_INPUT holds the input, too; if it\n"
    "has more than 128 KiB with that name, it is in the file CONCLAVE_INPUT_FILE instead.\n\n"
    "Files of --files and --upload are in the task's directory under their names as given, up\n"
    "to 1 GiB of them for a task and 8 GiB for the job.\n\n"
    "Examples:\n"
    "  conclave map gzip -9 {} ::: /srv/a.txt /srv/b.txt\n"
    "  conclave map --retries 2 ./run --seed {1} --size {2} ::: 1 2 3 ::: small large\n"
    "  conclave map --dir out --csv jobs.csv -- ./train --rate {rate} -o {name}.bin\n"
    "  ls *.wav | conclave map --dry-run --sh 'sox {} {.}.mp3 && rm {}'\n\n"
    "Ctrl-C and --timeout end the command, but not the job. --dir writes DIR/17.out, DIR/17.err\n"
    "(unless it is empty) and DIR/joblog.tsv; files that are there already stay. Exit code 0\n"
    "when all tasks are done, 1 when some failed or were lost, 5 when the job was cancelled.\n\n"
    "--reduce folds what the tasks wrote to stdout, in the order of the inputs, with an\n"
    "operator (op add), once all are done; `submit reduce NAME job:ID` does so later.\n"
    "--speculate: when no task is waiting, one that takes twice as long as the others did on\n"
    "average, and 3 s at least, is executed on another node, too; the first that is done\n"
    "counts.\n\n"
    "--json prints the finished job as `job show` does; with --dry-run {task, inputs, command}\n"
    "for each task, one a line.";

static const char tasks_details[] =
    "One line a task, in 80 columns. --json: one object a line: {task, input, state, node,\n"
    "attempt, reason, exit, signal, started, finished, wall_us, cpu_us, max_rss, stdout:\n"
    "{bytes, sha256, cut}, stderr, files, copy}; what is not known is null.";

static const char outputs_details[] =
    "Prints what finished tasks wrote to stdout: whole tasks, in their order, each checked\n"
    "against its SHA-256. --follow waits for the others. --dir writes DIR/17.out, DIR/17.err\n"
    "(unless it is empty) and DIR/joblog.tsv; files that are there already with the same bytes\n"
    "stay.";

static const char log_details[] =
    "Seq, Host, Starttime, JobRuntime, Send, Receive, Exitval, Signal, Command, separated by\n"
    "tabs: GNU parallel's format, for the tasks that have ended.";

static const char retry_details[] =
    "Makes a new job of the tasks that failed, were lost or cancelled, with their numbers, and\n"
    "prints its id. Tasks that are done stay done. --merged of `job tasks`, `job output` and\n"
    "`job log` shows the latest outcome of each task; `job result` always does.";

static const char op_add_details[] =
    "Stores the program in the cluster, under the name, for jobs that fold files: submit\n"
    "reduce. A program takes the paths of 2 to 4 files and writes one to stdout, with exit code\n"
    "0; it must be associative and give the same bytes every time: `op check` tries that. It\n"
    "runs on the nodes, in an empty directory with the files, so anything else that it needs\n"
    "must be installed there. From then on the name stands for this program, for this key;\n"
    "existing jobs keep the one that they started with. With --commutative short files are\n"
    "folded with short ones. Needs a key of the role commands. --json: {name, value, sha256,\n"
    "owner, bytes}.";

static const char op_list_details[] =
    "Lists the operators that this key may see: its own; an admin's key sees all. --json: an\n"
    "array of what `op add` prints.";

static const char op_show_details[] =
    "NAME, or value:HASH for a program that a newer one has replaced. --json: what `op add`\n"
    "prints, and {added, program_bytes, time_limit_us, commutative, text}.";

static const char op_rm_details[] =
    "Removes operators of this key; a job that names one keeps it until the job is forgotten.";

static const char op_check_details[] =
    "An operator is a program that folds 2 to 4 files into one: merge.sh FILE1 FILE2 [FILE3\n"
    "FILE4], its result on stdout, exit code 0. A cluster combines values in any shape that\n"
    "keeps their order, so all shapes must give the same bytes. This command runs the program\n"
    "on this machine, on two or more files, in several shapes, the first one twice: ((a b) c)\n"
    "d, a (b (c d)), a tree of pairs, of threes, of fours. Exit code 0 when all results are\n"
    "equal, else 1 with the two that differ; also 1 when the program fails or takes longer than\n"
    "--time-limit.\n\n"
    "NAME is the program's path, with a slash: ./merge.sh; or an operator of the cluster, or\n"
    "value:HASH. The files are read in place. --json: {equal, shapes: [{shape, sha256, bytes,\n"
    "runs}]}.";

static const char kinds_details[] =
    "Lists the kinds that this program knows; it needs no cluster. --json: [{kind, example,\n"
    "about}].";

const struct command commands[] = {
    {"up", "", "Start a supervised cluster on this machine", up_details, up_options, up_run},
    {"down", "", "Stop the cluster", down_details, down_options, down_run},
    {"recover", "[[ID=]NODE_DIR...]", "Continue after a majority of the voters' disks was lost",
     recover_details, recover_options, recover_run},
    {"run", "KIND SPEC...", "Run one job on a temporary cluster: run factorial 10000", run_details,
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
    {"op check", "NAME FILE FILE...", "Check that a program folds files to the same in all shapes",
     op_check_details, op_check_options, op_check_run},
    {"kinds", "", "List the kinds of jobs, with examples", kinds_details, NULL, kinds_run},
    {"job list", "[ID...]", "List jobs, all or these", list_details, job_list_options,
     job_list_run},
    {"job show", "ID...", "Show jobs", show_details, job_show_options, job_show_run},
    {"job wait", "ID...", "Wait for jobs, then print their results as submit does", NULL,
     job_output_options, job_wait_run},
    {"job result", "ID", "Print the digits of a job's result", result_details, job_result_options,
     job_result_run},
    {"job cancel", "ID...", "Cancel jobs", NULL, NULL, job_cancel_run},
    {"job tasks", "ID", "List the tasks of a job: states, nodes, exit codes", tasks_details,
     job_tasks_options, job_tasks_run},
    {"job output", "ID", "Print what the tasks of a job wrote", outputs_details,
     job_outputs_options, job_outputs_run},
    {"job log", "ID", "Print a log of a job's tasks in GNU parallel's format", log_details,
     job_log_options, job_log_run},
    {"job retry", "ID", "Run the tasks that are not done again, as a new job", retry_details,
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
    {"bank deposit", "ACCOUNT@NODE AMOUNT", "Add money to an account; the first deposit creates it",
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
    {"monitor", "", "Follow the nodes' heartbeats and events", monitor_details, monitor_options,
     monitor_run},
    {"web", "", "Serve a dashboard, an HTTP API and metrics", web_details, web_options, web_run},
    {"keys init", "", "Create the keys for a cluster on several machines", keys_init_details,
     keys_init_options, keys_init_run},
    {"keys add", "NAME", "Create a key for a user; prints the file to hand out", keys_add_details,
     keys_add_options, keys_add_run},
    {"keys list", "", "List keys, with their roles", NULL, keys_list_options, keys_list_run},
    {"keys revoke", "NAME...", "Revoke keys", keys_revoke_details, keys_options, keys_revoke_run},
    {"keys rotate", "[NAME ...]", "Replace keys with new ones", keys_rotate_details,
     keys_rotate_options, keys_rotate_run},
    {"completion", "bash|zsh|fish", "Print what a shell needs to complete commands and options",
     completion_details, NULL, completion_run},
    {"version", "", "Show the version", NULL, NULL, version_run},
    {"help", "[COMMAND]", "Show help", NULL, NULL, help_run},
    {0}};
