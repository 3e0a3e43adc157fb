"""The steps of jobs of commands: submitting them, and reading what became of their tasks."""
from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from . import errors, packing
from .steps import FINAL, Row, Steps, ask, get, job_text, one, upload

LOOK, LOOK_MAX = 0.02, 0.5    # how often a running map is looked at
ROW_BYTES = 64 << 10          # of an output that stands in its task's row
SPEC_READ = 4 + (64 << 10)    # the first part of what was submitted is no longer
RANGES_MAX = 256              # of tasks that are chosen
PARENTS_MAX = 32              # retries of retries, as the command line has it
FORGOTTEN = "its parent was forgotten"  # and the task's output with it


@dataclass
class MapRequest:
    """`inputs`: of each task. `files`: bytes that each task finds in its directory, under its input as name.
    `uploads`: files that every task finds there."""
    argv: Sequence[str]
    shell: Optional[str]
    inputs: Sequence[bytes]
    options: Row
    files: Optional[Sequence[bytes]] = None
    uploads: Optional[Dict[str, bytes]] = None
    env: Optional[Dict[str, str]] = None
    name: str = ""
    key: Optional[str] = None


def _contents(request: MapRequest) -> Tuple[packing.Content, bytes]:
    data, uploads, records = bytearray(), [], []
    for path, content in (request.uploads or {}).items():
        uploads.append({"path": path.encode(), "offset": len(data), "len": len(content),
                        "sha256": hashlib.sha256(content).digest()})
        data += content
    for number, words in enumerate(request.inputs):
        file = None
        if request.files is not None:
            file = (len(data), request.files[number])
            data += request.files[number]
        records.append(packing.record([words], file))
    spec = packing.spec({"inputs": 1, "argv": [{"text": word.encode()} for word in request.argv],
                         "shell": (request.shell or "").encode(), "files": request.files is not None, "uploads": uploads,
                         "env": [{"name": k.encode(), "value": v.encode()} for k, v in (request.env or {}).items()],
                         "over": f"{len(request.inputs)} inputs", "name": request.name, **request.options})
    return packing.content_of_parts("tasks", [spec, *records]), bytes(data)


def _execution(spec: Row) -> Row:
    """What the coordinator is told of the options: as the command line tells it."""
    execution = {name: spec.get(name) for name in ("retries", "max_fails", "at_most_once", "speculate")}
    execution.update({f"{name}_ms": -(-spec.get(f"{name}_us", 0) // 1000) for name in ("retry_delay", "time_limit")})
    execution.update(max_fails_percent=spec.get("max_fails_ppm", 0) // 10000, slots=spec.get("slots", 0) if spec.get("slots", 0) > 1 else 0,
                     bundles=bool(spec.get("collect")) or spec.get("max_output", 0) > ROW_BYTES)
    return {name: value for name, value in execution.items() if value}


def submit_map(request: MapRequest, deadline: Optional[float]) -> Steps[Row]:
    content, files = _contents(request)
    values = [{"value": (yield from upload(content, request.name, deadline))}]
    if files:
        values.append({"value": (yield from upload(packing.content_of_bytes(files), request.name, deadline))})
    spec = f"{len(request.inputs)} {len(content.segments)} {len(content.data)}"
    return (yield from one({"type": "submit_commands", "key": request.key or str(uuid.uuid4()), "kind": "map", "spec": spec,
                            "inputs": values, "tasks": [_execution(request.options)]}, deadline))


def _ranges(tasks: Iterable[int], total: int) -> List[Row]:
    found: List[Row] = []
    for number in sorted(set(tasks)):
        if not 1 <= number <= total:
            raise errors.Usage(f"there is no task {number}; the tasks are 1 to {total}")
        if found and found[-1]["first"] + found[-1]["count"] == number:
            found[-1]["count"] += 1
        else:
            found.append({"first": number, "count": 1})
    if not 0 < len(found) <= RANGES_MAX:
        raise errors.Usage(f"the tasks are {len(found)} ranges; 1 to {RANGES_MAX} are allowed")
    return found


def retry(job: int, tasks: Optional[Iterable[int]], time_limit: Optional[float], key: Optional[str],
          deadline: Optional[float]) -> Steps[Row]:
    row = yield from get(job, deadline)
    counts = row["tasks"][0]
    if row["kind"] != "map":
        raise errors.Usage(f"job {job_text(job)} runs no commands of map(); submit it again")
    if counts.get("done") == counts["total"]:
        raise errors.Usage(f"all tasks of job {job_text(job)} are done")
    chosen = {} if tasks is None else {"chosen": _ranges(tasks, counts["total"])}
    reply = yield from ask({"type": "value_read", "value": row["inputs"][0]["value"], "offset": 0, "len": SPEC_READ}, deadline)
    options = packing.read_spec(reply.frames[0])
    if time_limit is not None:
        options["time_limit_us"] = int(time_limit * 1e6)
    return (yield from one({"type": "submit_commands", "key": key or str(uuid.uuid4()), "kind": "map", "spec": row["spec"],
                            "inputs": [{"value": it["value"]} for it in row["inputs"]], "tasks": [_execution(options)],
                            "parent": job, **chosen}, deadline))


def _read_details(job: int, op: int, length: int, deadline: Optional[float]) -> Steps[bytes]:
    data = bytearray()
    while len(data) < length:
        reply = yield from ask({"type": "segment_get", "job": job, "op": op, "offset": len(data)}, deadline, lasting=True)
        if not reply.frames or not reply.frames[0]:
            raise errors.Failed("an empty part of what tasks left came")
        data += reply.frames[0]
    return bytes(data)


def _open_bundle(job: int, task: packing.Task, bundle: packing.Bundle, deadline: Optional[float]) -> Steps[None]:
    """Long outputs, which do not stand in the row."""
    end = bundle.head_len + bundle.out_len + bundle.err_len
    data = bundle.inline
    if bundle.op:
        data = b""
        for piece in range(-(-end // packing.PIECE)):
            size = min(packing.PIECE, bundle.len - piece * packing.PIECE)
            data += yield from _read_details(job, bundle.op + piece, size, deadline)
    at = bundle.head_len
    for name, size, digest in (("stdout", bundle.out_len, bundle.out_sha256), ("stderr", bundle.err_len, bundle.err_sha256)):
        if size:
            kept = data[at:at + size]
            if len(kept) != size or hashlib.sha256(kept).digest() != digest:
                raise errors.Failed(f"the {name} of task {task.task} differs from its SHA-256")
            setattr(task, name, kept)
        at += size


@dataclass
class MapState:
    """How far a map was read: segments, tasks with their rows."""
    job: int
    total: int = 0
    segments: int = 0
    told: int = 0
    look: float = LOOK
    over: bool = False
    depth: int = 0  # retries of retries above it


def _take_segment(state: MapState, segment: Row, deadline: Optional[float]) -> Steps[List[packing.Task]]:
    data = yield from _read_details(state.job, segment["op"], segment["len"], deadline)
    if hashlib.sha256(data).digest() != segment["hash"]:
        raise errors.Failed("details of tasks differ from their SHA-256")
    found = []
    for numbers, task, bundle in packing.rows(data):
        if bundle:
            yield from _open_bundle(state.job, task, bundle, deadline)
        found += [replace(task, task=task.task + i) for i in range(numbers["count"])]
    return found


def _untold(state: MapState, seen: "set[int]", deadline: Optional[float]) -> Steps[List[packing.Task]]:
    """Tasks of a finished job that left no row: those that were cancelled, or lost."""
    found: List[packing.Task] = []
    after = 0
    while True:
        reply = yield from ask({"type": "job_tasks", "job": state.job, **({"after": after} if after else {})}, deadline)
        for row in reply.body.get("rows") or []:
            after = row["first"] + row["count"] - 1
            found += [packing.Task(n, row["state"], row.get("node", 0), row.get("attempts", 0), row.get("exit", 0),
                                   row.get("signal", 0), reason=row.get("reason", ""))
                      for n in range(row["first"], after + 1) if n not in seen]
        if not reply.body.get("more"):
            return found


def _inherited(state: MapState, parent: int, untold: List[packing.Task], deadline: Optional[float]) -> Steps[List[packing.Task]]:
    """What a retry left as it was has its rows in the job that it repeats, which may be one itself."""
    if not parent or not untold:
        return untold
    if state.depth == PARENTS_MAX:
        raise errors.Failed(f"job {job_text(state.job)} repeats too long a chain of jobs")
    above, seen, there = MapState(parent, depth=state.depth + 1), set(), {}  # type: MapState, set[int], Dict[int, packing.Task]
    try:
        while tasks := (yield from more_tasks(above, seen, deadline)):
            there.update((task.task, task) for task in tasks)
    except errors.NotFound:
        return [replace(task, reason=task.reason or FORGOTTEN) for task in untold]
    return [there[task.task] if task.task in there and there[task.task].state == task.state else task for task in untold]


def more_tasks(state: MapState, seen: "set[int]", deadline: Optional[float]) -> Steps[List[packing.Task]]:
    """Waits until more tasks have ended; an empty list: all have. Each comes once."""
    while not state.over:
        row = yield from one({"type": "job_get", "job": state.job, "wait_ms": int(state.look * 1000)}, deadline,
                             wait=state.look, lasting=True)
        state.look = min(2 * state.look, LOOK_MAX)
        reply = yield from ask({"type": "job_segments", "job": state.job, "from": state.segments}, deadline, lasting=True)
        fresh: List[packing.Task] = []
        for segment in reply.body.get("segments") or []:
            fresh += yield from _take_segment(state, segment, deadline)
            state.segments += 1
        if row["state"] in FINAL and state.segments >= reply.body.get("total", 0):
            state.over = True
            fresh = [task for task in fresh if task.task not in seen]
            untold = yield from _untold(state, seen | {task.task for task in fresh}, deadline)
            fresh += yield from _inherited(state, row.get("parent", 0), untold, deadline)
        fresh = [task for task in fresh if task.task not in seen]
        seen.update(task.task for task in fresh)
        if fresh:
            state.look = LOOK
            return fresh
    return []
