"""The double of values_double.py with jobs of commands: what docs/protocol.md says of jobs of tasks, in memory, without keys.
No command runs: a function says how an attempt ends. Tasks end a few at a time, whenever somebody asks how the job stands."""
import hashlib
import struct

import msgpack

import values_double
from values_double import CHUNK, Refused

STATES = ("", "done", "failed", "lost", "cancelled")
SEGMENTS_A_PAGE, ROWS_A_PAGE = 2, 3  # few, so that tests see several pages


def parts(data):
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "little")
        assert at + 4 + size <= len(data)
        found.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return found


def part(data):
    return struct.pack("<I", len(data)) + data


def number(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def stream(written, kept):
    return part(hashlib.sha256(kept).digest() if written else b"") + part(kept)


def task_row(task, end, kept_bytes):
    """A row of details as shared/base/task_row.h describes it."""
    out, err = end.get("out", b""), end.get("err", b"")
    numbers = [task, 1, STATES.index(end["state"]), end.get("node", 2), end.get("attempts", 1), end.get("exit", 0),
               end.get("signal", 0), end.get("limit", 0), end.get("started_ms", 1700000000000), end.get("wall_us", 400000),
               1000, 4096, len(out), len(err)]
    body = b"".join(map(number, numbers)) + part(end.get("reason", "").encode())
    return part(body + stream(len(out), out[:kept_bytes]) + stream(len(err), err[:kept_bytes]))


class Job:
    def __init__(self, number, request, value, parent):
        self.id, self.request, self.value, self.parent = 1 << 40 | number, request, value, parent
        spec, *records = parts(value.bytes())
        self.spec = msgpack.unpackb(spec)
        self.inputs = [parts(record) for record in records]
        self.total, self.ends, self.segments, self.state, self.inherited = len(self.inputs), {}, [], "running", 0
        if parent:
            self.ends = {task: end for task, end in parent.ends.items() if end["state"] == "done"}
            self.inherited = len(self.ends)
        self.queue = []

    def count(self, state):
        return sum(end["state"] == state for end in self.ends.values())

    def row(self):
        counts = {"total": self.total, "queued": 0 if self.state != "running" else self.total - len(self.ends),
                  "attempts": len(self.ends), "inherited": self.inherited}
        counts |= {state: self.count(state) for state in STATES[1:]}
        row = {"job": self.id, "key": self.request["key"], "kind": "map", "spec": self.request["spec"], "state": self.state,
               "submitted_ms": 1, "done": len(self.ends), "total": self.total, "tasks": [counts],
               "inputs": [{"value": self.value.id}]}
        if self.parent:
            row["parent"] = self.parent.id
        if self.state == "failed":
            row["error"] = f"{self.count('failed')} tasks failed"
        return row


class Double(values_double.Double):
    """`ends(task, inputs, attempt_of_job)` says how a task ends; `order` in which order; `step` how many for each question;
    `stuck`: after so many nothing ends any more; `rots(n)`: whether a byte of the n-th chunk of details is wrong."""

    def __init__(self, port, ends=None, order=sorted, step=1, stuck=None, rots=lambda n: False, kept_bytes=65536, **faults):
        super().__init__(port, **faults)
        self.ends = ends or (lambda task, inputs, nth: {"state": "done", "out": b" ".join(inputs) + b"\n"})
        self.order, self.step, self.stuck, self.rots, self.kept_bytes = order, step, stuck, rots, kept_bytes
        self.map_jobs, self.submits, self.gets = {}, [], 0

    def submit_commands(self, request):
        self.submits.append(request)
        for job in self.map_jobs.values():
            if job.request["key"] == request["key"]:
                return {"type": "job", "jobs": [job.row()]}
        value = self.find(request["inputs"][0]["value"])
        tasks, segments, size = map(int, request["spec"].split())
        assert value.whole and value.format == "tasks"
        assert (tasks + 1, segments, size) == (value.items, len(value.segments), value.len)
        assert all(parts(segment) for segment in value.segments)
        job = Job(2000 + len(self.map_jobs), request, value, self.map_jobs.get(request.get("parent", 0)))
        job.queue = [task for task in self.order(range(1, job.total + 1)) if task not in job.ends]
        value.jobs.append(job.id)
        self.map_jobs[job.id] = job
        return {"type": "job", "jobs": [job.row()]}

    def find_job(self, request):
        if request["job"] not in self.map_jobs:
            raise Refused("not_found", "no such job")
        return self.map_jobs[request["job"]]

    def go_on(self, job):
        rows, n = b"", 0
        while job.state == "running" and job.queue and n < self.step and len(job.ends) != self.stuck:
            task = job.queue.pop(0)
            nth = 1 + len([one for one in self.map_jobs.values() if one.value is job.value and one.id < job.id])
            job.ends[task] = self.ends(task, job.inputs[task - 1], nth)
            rows += task_row(task, job.ends[task], self.kept_bytes)
            n += 1
        if rows:
            job.segments.append(rows)
        if job.state == "running" and not job.queue:
            job.state = "done" if job.count("done") == job.total else "failed"

    def job_get(self, request):
        if request["job"] not in self.map_jobs:
            return super().job_get(request)
        job = self.find_job(request)
        if request.get("wait_ms"):
            self.go_on(job)
        return {"type": "job", "jobs": [job.row()]}

    def job_list(self, request):
        rows = [job.row() for job in self.map_jobs.values() if job.id > request.get("after", 0)]
        return {"type": "job_page", "jobs": rows, "more": False}

    def job_cancel(self, request):
        job = self.find_job(request)
        job.state, job.queue = "cancelled", []
        for task in range(1, job.total + 1):
            job.ends.setdefault(task, {"state": "cancelled"})
        return {"type": "job", "jobs": [job.row()]}

    def job_explain(self, request):
        job = self.find_job(request)
        text = f"job 1-{job.id & 0xffff}, map({job.total} tasks), is {job.state}\nqueued:  no worker\n"
        return {"type": "explanation", "text": text}

    def job_tasks(self, request):
        job, rows = self.find_job(request), []
        for task in range(request.get("after", 0) + 1, job.total + 1):
            end = job.ends.get(task, {"state": "queued"})
            row = {"first": task, "count": 1, "state": end["state"]}
            if end["state"] in ("failed", "lost"):
                row |= {"exit": end.get("exit", 0), "attempts": end.get("attempts", 1), "node": 2}
            rows.append(row)
        return {"type": "task_page", "counts": job.row()["tasks"], "rows": rows[:ROWS_A_PAGE], "more": len(rows) > ROWS_A_PAGE}

    def job_segments(self, request):
        job, at = self.find_job(request), request.get("from", 0)
        page = [{"op": 1000 + i, "len": len(data), "hash": hashlib.sha256(data).digest(), "first": 1, "last": job.total}
                for i, data in enumerate(job.segments)][at:at + SEGMENTS_A_PAGE]
        return {"type": "segment_page", "total": len(job.segments), "segments": page}

    def segment_get(self, request):
        data, at = self.find_job(request).segments[request["op"] - 1000], request["offset"]
        self.gets += 1
        chunk = bytearray(data[at:at + CHUNK])
        if self.rots(self.gets):
            chunk[-1] ^= 1
        return {"type": "segment_chunk", "offset": at, "total": len(data)}, bytes(chunk)
