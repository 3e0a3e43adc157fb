"""Jobs of commands on real processes, asked for by a client that shares nothing with the product: what runs, how it ends, what is
left (T15 to T19)."""
import collections
import hashlib
import pathlib
import signal
import struct
import time
import uuid

import msgpack
import pytest

import harness
from harness import request, signed_request, wait_for
from test_stored_values import CHUNK, Client

CLUSTER = {"nodes": 4, "slots": 2}
STATES = {1: "done", 2: "failed", 3: "lost", 4: "cancelled"}
NUMBERS = ("first", "count", "state", "node", "attempts", "exit", "signal", "limit", "started_ms", "wall_us", "cpu_us",
           "max_rss", "out_bytes", "err_bytes")


# --- what a client writes ---

def part(data):
    return struct.pack("<I", len(data)) + data


def specification(**fields):
    return part(msgpack.packb({"type": "task_spec", "inputs": 1, "slots": 1, "max_output": 1 << 20} | fields))


def shell(string, **fields):
    return specification(shell=string.encode(), **fields)


def argv(*words, **fields):
    return specification(argv=[{"text": word.encode()} for word in words], **fields)


class Jobs(Client):
    """Uploads tasks, submits them, and reads what became of them."""

    def store(self, spec, inputs, segments=1):
        """A stored value of these tasks, in so many segments; its id, and the job's argument."""
        records = [spec] + [part(part(one.encode())) for one in inputs]
        data, at = b"".join(records), 0
        answer, _ = self.ask("value_begin", sha256=hashlib.sha256(data).digest(), len=len(data), format="tasks", name="tasks")
        row = answer["values"][0]
        bounds = [len(records) * i // segments for i in range(segments + 1)]
        for number in range(1, segments + 1):
            mine = records[bounds[number - 1]:bounds[number]]
            segment = b"".join(mine)
            if number > row["segments"]:
                for offset in range(0, len(segment), CHUNK):
                    answer, _ = self.ask("value_put", segment[offset:offset + CHUNK], value=row["value"], segment=number,
                                         offset=offset, len=len(segment), sha256=hashlib.sha256(segment).digest(),
                                         items=len(mine))
                    assert answer["type"] == "value_chunk_taken", answer
            at += len(segment)
        answer, _ = self.ask("value_end", value=row["value"])
        assert answer["type"] == "value" and answer["values"][0]["whole"], answer
        return row["value"], f"{len(inputs)} {segments} {len(data)}"

    def submit(self, spec, inputs, segments=1, **options):
        value, argument = self.store(spec, inputs, segments)
        body = {"type": "submit_commands", "key": str(uuid.uuid4()), "kind": "map", "spec": argument, "inputs": [{"value": value}],
                "tasks": [options]}
        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.number += 1
            answer, _ = signed_request(self.addresses[self.broker], body | {"request": self.number})
            if answer["type"] == "job":
                return answer["jobs"][0]["job"]
            assert answer["code"] in ("not_coordinator", "unavailable", "busy", "unsigned"), answer
            time.sleep(0.05)
        raise AssertionError("it is not accepted")

    def row(self, job):
        answer, _ = self.ask("job_get", job=job)
        assert answer["type"] == "job", answer
        return answer["jobs"][0]

    def counts(self, job):
        return collections.defaultdict(int, self.row(job)["tasks"][0])

    def end(self, job, deadline=30):
        """The job's row when it is finished."""
        return wait_for(lambda: (row := self.row(job)).get("finished_ms") and row, deadline, "the job ends")

    def tasks(self, job):
        """What is told of each task, by its number."""
        listed, found = self.ask("job_segments", job=job)[0], {}
        assert listed["total"] == len(listed["segments"])
        for segment in listed["segments"]:
            data = b""
            while len(data) < segment["len"]:
                answer, (piece,) = self.ask("segment_get", job=job, op=segment["op"], offset=len(data))
                assert answer["type"] == "segment_chunk", answer
                data += piece
            assert hashlib.sha256(data).digest() == segment["hash"]
            for row in rows(data):
                for task in range(row["first"], row["first"] + row["count"]):
                    assert task not in found, "T15: a task has one outcome"
                    found[task] = row
        return found


def rows(data):
    """The rows of a segment, as shared/base/task_row.h has them."""
    while data:
        size, = struct.unpack_from("<I", data)
        body, data = data[4:4 + size], data[4 + size:]
        row = {}
        for name in NUMBERS:
            number, shift = 0, 0
            while True:
                byte, body = body[0], body[1:]
                number, shift = number | (byte & 127) << shift, shift + 7
                if byte < 128:
                    break
            row[name] = number
        for name in ("reason", "out_hash", "out", "err_hash", "err"):
            size, = struct.unpack_from("<I", body)
            row[name], body = body[4:4 + size], body[4 + size:]
        for stream in ("out", "err"):
            if row[stream]:
                assert hashlib.sha256(row[stream]).digest() == row[stream + "_hash"]
        row["state"] = STATES[row["state"]]
        yield row


# --- what runs on this machine ---

def running(token):
    """The processes with the word in their command lines: pid -> the node that runs it."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and token.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                words = (entry / "environ").read_bytes().split(b"\0")
                node = [word for word in words if word.startswith(b"CONCLAVE_NODE=")]
                found[int(entry.name)] = int(node[0].split(b"=")[1]) if node else 0
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return found


# --- tests ---

def test_commands_run_and_each_task_has_its_outcome(cluster):
    jobs = Jobs(cluster)
    names = [f"file {i}'s" for i in range(1, 61)]
    spec = shell("echo {} {#} $A; env | grep ^CONCLAVE_ | cut -d= -f1 | sort | tr '\\n' ' '; echo $CONCLAVE_INPUT >&2; "
                 "exit $(( {#} % 4 ? 0 : 3 ))", env=[{"name": b"A", "value": b"x y"}])
    job = jobs.submit(spec, names, segments=7)
    row, counts = jobs.end(job), jobs.counts(job)
    assert row["state"] == "failed" and counts["done"] == 45 and counts["failed"] == 15 and counts["attempts"] == 60
    told = jobs.tasks(job)
    assert sorted(told) == list(range(1, 61))
    variables = "CONCLAVE_ATTEMPT CONCLAVE_INPUT CONCLAVE_JOB CONCLAVE_NODE CONCLAVE_SCRATCH CONCLAVE_TASK "
    for task, it in told.items():
        assert it["state"] == ("done" if task % 4 else "failed") and it["exit"] == (0 if task % 4 else 3)
        assert it["out"].decode() == f"{names[task - 1]} {task} x y\n{variables}", it
        assert it["err"].decode() == names[task - 1] + "\n"
        assert it["attempts"] == 1 and 0 < it["node"] <= 4 and it["started_ms"] and it["wall_us"] and it["max_rss"]
    workers = {it["node"] for it in told.values()}
    assert len(workers) == 3 and cluster.status()["coordinator"] not in workers


def test_without_a_shell_a_word_is_an_argument(cluster):
    jobs = Jobs(cluster)
    job = jobs.submit(argv("printf", "%s|", "a b", "{.}", "{/}"), ["/x y/z.csv", "$HOME"])
    jobs.end(job)
    told = jobs.tasks(job)
    assert told[1]["out"] == b"a b|/x y/z|z.csv|" and told[2]["out"] == b"a b|$HOME|$HOME|"


def test_inputs_may_be_what_a_command_reads(cluster):
    jobs = Jobs(cluster)
    job = jobs.submit(argv("cat", "-n", on_stdin=True), ["one", "two"])
    jobs.end(job)
    told = jobs.tasks(job)
    assert told[1]["out"].split() == [b"1", b"one"] and told[2]["out"].split() == [b"1", b"two"]


def test_outputs_are_cut_and_said_to_be(cluster):
    jobs = Jobs(cluster)
    job = jobs.submit(shell("head -c 100000 /dev/zero; head -c {} /dev/zero >&2"), ["10"])
    assert jobs.end(job)["state"] == "done"
    it = jobs.tasks(job)[1]
    assert it["out_bytes"] == 100000 and it["out"] == bytes(64 * 1024) and it["err"] == bytes(10)


def test_what_fails_is_tried_again_and_counts_once_T19(cluster):
    jobs = Jobs(cluster)
    job = jobs.submit(shell("echo {}; [ $CONCLAVE_ATTEMPT -ge {} ]"), ["1", "2", "3", "4"], retries=2, retry_delay_ms=50)
    row = jobs.end(job)
    assert row["state"] == "failed" and row["tasks"][0]["done"] == 3 and row["tasks"][0]["retries"] == 5
    told = jobs.tasks(job)
    assert [told[task]["attempts"] for task in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert [told[task]["state"] for task in (1, 2, 3, 4)] == ["done", "done", "done", "failed"]


def test_what_cannot_be_started_says_so(cluster):
    jobs = Jobs(cluster)
    job = jobs.submit(argv("no-such-program-anywhere", "{}"), ["1"])
    assert jobs.end(job)["state"] == "failed"
    it = jobs.tasks(job)[1]
    assert it["state"] == "failed" and (it["exit"] == 127 or b"could not start" in it["reason"]), it


def test_a_time_limit_ends_an_attempt(cluster):
    jobs, token = Jobs(cluster), str(uuid.uuid4())
    job = jobs.submit(argv("sh", "-c", "trap '' TERM; sleep $1", token), ["0.1", "600"], time_limit_ms=700)
    began = time.monotonic()
    jobs.end(job)
    told = jobs.tasks(job)
    assert told[1]["state"] == "done" and told[2]["state"] == "failed" and told[2]["limit"] == 1
    assert time.monotonic() - began < harness.seconds(12) and not running(token)


def test_a_cancel_kills_what_runs_within_six_seconds_T18(cluster):
    jobs, token = Jobs(cluster), str(uuid.uuid4())
    job = jobs.submit(argv("sh", "-c", "trap '' TERM; setsid sh -c 'sleep 600; :' $0 & sleep 600; sleep 600", token), list("abcd"))
    wait_for(lambda: len(running(token)) >= 8, 10, "they run")
    nodes = set(running(token).values())
    began = time.monotonic()
    answer, _ = jobs.ask("job_cancel", job=job)
    assert answer["jobs"][0]["state"] == "cancelled"
    wait_for(lambda: not running(token), 6.5, "they are gone")
    assert time.monotonic() - began < harness.seconds(6.5) and len(nodes) >= 2
    assert jobs.counts(job)["cancelled"] == 4


def test_an_unknown_or_foreign_input_is_refused(cluster):
    jobs = Jobs(cluster)
    value, argument = jobs.store(argv("true"), ["1", "2"])
    body = {"type": "submit_commands", "key": "refused", "kind": "map", "spec": argument, "inputs": [{"value": value}],
            "request": 1}

    def code(**fields):
        return signed_request(jobs.addresses[0], body | fields)[0]["code"]
    assert code(spec="3 1 100") == "invalid" and code(inputs=[]) == "invalid"
    assert code(inputs=[{"value": value + 1}]) == "not_found" and code(kind="factorial", spec="10") == "invalid"
    assert request(jobs.addresses[0], body | {"type": "submit"})[0]["code"] == "forbidden"


def test_without_keys_no_commands_are_run_X14(make_cluster):
    cluster = make_cluster(nodes=3, insecure=True)
    cluster.options.pop("slots")
    cluster.start()
    cluster.wait_healthy()
    for kind in ("submit", "submit_commands"):
        answer, _ = request(cluster.broker, {"type": kind, "key": "k", "kind": "map", "spec": "1 1 100", "request": 1})
        assert answer["code"] == "forbidden" and "without keys no commands are run" in answer["reason"]


def test_a_killed_node_leaves_none_of_its_commands_and_others_run_them_T18(make_cluster):
    cluster = make_cluster()
    cluster.start()
    status = cluster.wait_healthy()
    jobs, token = Jobs(cluster), str(uuid.uuid4())
    job = jobs.submit(argv("sh", "-c", "sleep 3; echo $CONCLAVE_NODE", token), [str(i) for i in range(8)])
    wait_for(lambda: len(running(token)) >= 6, 10, "they run")
    victim = next(node for node in running(token).values() if node and node != status["coordinator"])
    cluster.kill(cluster.nodes[victim], signal.SIGKILL)
    wait_for(lambda: victim not in running(token).values(), 3, "its commands are gone")
    row = jobs.end(job)
    counts, told = jobs.counts(job), jobs.tasks(job)
    assert row["state"] == "done" and counts["done"] == 8 and counts["deaths"] >= 1 and counts["retries"] == 0
    assert victim not in {it["node"] for it in told.values()}
    assert all(it["out"] == b"%d\n" % it["node"] for it in told.values())
    cluster.start_node(victim)
    cluster.wait_healthy()
    assert not running(token)


@pytest.mark.parametrize("once", [False, True])
def test_the_coordinator_is_killed_in_the_midst_and_each_task_has_one_outcome_T15(make_cluster, once):
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    jobs = Jobs(cluster)
    ran = pathlib.Path(cluster.dir, "ran")
    ran.mkdir()
    options = {"at_most_once": True} if once else {}
    spec = shell(f"echo {{}} >> {ran}/{{#}}; sleep 0.05; echo task-{{#}}")
    job = jobs.submit(spec, [str(i) for i in range(1, 301)], segments=5, **options)
    wait_for(lambda: jobs.counts(job)["done"] >= 60, 20, "some are done")
    old = cluster.kill_coordinator()["coordinator"]
    row = jobs.end(job, 60)
    counts, told = jobs.counts(job), jobs.tasks(job)
    assert counts["done"] == 300 and row["state"] == "done", counts
    assert sorted(told) == list(range(1, 301))
    for task, it in told.items():
        assert it["out"] == b"task-%d\n" % task and it["node"] != 0
    if once:  # T16
        assert all((ran / str(task)).read_text() == f"{task}\n" for task in told)
    cluster.start_node(old)
    cluster.wait_healthy()
