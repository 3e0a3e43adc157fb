"""What is said to a cluster, as generators: each yields what it asks, and is sent the answers. A driver that blocks
(cluster.py) and one of asyncio (aio.py) run the same ones."""
from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import (Any, Awaitable, Callable, Coroutine, Dict, Generator, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar,
                    Union)

from . import errors, packing
from .connection import Ask, Reply

T = TypeVar("T")
CHUNK, WINDOW = 512 << 10, 8  # of uploads: bytes of a request, and requests without an answer
UPLOAD_TRIES = 16             # beginnings in a row without a segment more
WAIT = 1.0                    # of a long poll
SNAPSHOT_WAIT = 10.0          # until a snapshot of the whole cluster is complete
FINAL = {"done", "failed", "cancelled"}
VALUE, NAME_MAX = "value:", 128  # how the name of a stored value begins; bytes of what it is called for people
PLACES = {"heads": "counter", "jobs": "job", "ops": "op", "values": "value", "keys": "name"}  # what lists are in the order of


@dataclass
class Pause:
    seconds: float


class Named:
    """What the jobs of cluster.py and of aio.py are: `number` in requests, `id` on the command line."""

    def __init__(self, row: "Row") -> None:
        self.number = int(row["job"])
        self.id = job_text(self.number)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


Step = Union[Ask, Pause, List[Ask]]
Steps = Generator[Step, Any, T]
Row = Dict[str, Any]


def job_text(number: int) -> str:
    return f"{number >> 40}-{number & (1 << 40) - 1}"


def job_number(job: str) -> int:
    term, dash, index = job.partition("-")
    if not dash or not term.isdigit() or not index.isdigit():
        raise errors.Usage(f"'{job}' is not a job id, which looks like 3-17")
    return int(term) << 40 | int(index)


def deadline_of(timeout: Optional[float]) -> Optional[float]:
    return None if timeout is None else time.monotonic() + timeout


def _send_answer(work: Steps[T], answer: Any) -> Step:
    """What is not as the protocol has it is the cluster's fault, and no bug of the caller."""
    try:
        return work.send(answer)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise errors.Failed(f"an answer is not as it should be: {error!r}") from error


async def drive(work: Steps[T], perform: Callable[[Step], Awaitable[Any]]) -> T:
    """Goes through the steps: `perform` asks or pauses. Where it blocks instead of being suspended, finish() runs all of it."""
    try:
        step = next(work)
        while True:
            try:
                answer = await perform(step)
            except errors.ConclaveError as error:
                step = work.throw(error)
            else:
                step = _send_answer(work, answer)
    except StopIteration as end:
        result: T = end.value
        return result


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that is never suspended."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("it was suspended")


def just(step: Step) -> Steps[Any]:
    return (yield step)


def ask(body: Row, deadline: Optional[float] = None, **more: Any) -> Steps[Reply]:
    reply: Reply = yield Ask(body, deadline=deadline, **more)
    return reply


def one(body: Row, deadline: Optional[float] = None, rows: str = "jobs", **more: Any) -> Steps[Row]:
    """Asks, and returns the only row of the answer."""
    reply = yield from ask(body, deadline, **more)
    found = reply.body.get(rows) or []
    if len(found) != 1 or not isinstance(found[0], dict):
        raise errors.Failed("the answer is not about one thing")
    row: Row = found[0]
    if rows == "jobs" and not (isinstance(row.get("job"), int) and isinstance(row.get("state"), str)):
        raise errors.Failed("the answer is not about a job")
    return row


# --- jobs ---

LISTS = {"product": ("one list", 1), "batch-gcd": ("one or two lists", 2)}  # kinds over lists of integers


def _is_list(argument: Any) -> bool:
    return isinstance(argument, Iterable) and not isinstance(argument, (str, bytes))


def _is_value(argument: Any) -> bool:
    return isinstance(argument, str) and argument.startswith(VALUE)


def _stored_integers(name: str, deadline: Optional[float]) -> Steps[Row]:
    row = yield from find_value(name, deadline)
    if row["format"] != "integers" or not row["whole"]:
        raise errors.Usage(f"{name} holds no integers")
    return row


def submit_lists(kind: str, lists: Sequence[Union[str, Iterable[int]]], key: Optional[str],
                 deadline: Optional[float]) -> Steps[Row]:
    """Each list is uploaded as a stored value, the same list once, or is one: "value:9c1f"."""
    said, most = LISTS.get(kind, ("no list", 0))
    if not 0 < len(lists) <= most or not all(_is_list(given) or _is_value(given) for given in lists):
        raise errors.Usage(f"{kind} takes {said} of integers")
    spec, values = [], []
    for given in [*lists, *[[]] * (most - len(lists))]:
        if isinstance(given, str):
            row = yield from _stored_integers(given, deadline)
            values += [{"value": row["value"]}] if row["segments"] else []
            spec += [row["segments"], row["items"], row["len"]]
            continue
        integers = list(given)
        if not all(isinstance(n, int) for n in integers):
            raise errors.Usage("a list has something that is not an integer")
        if kind == "batch-gcd" and any(n <= 0 for n in integers):
            raise errors.Usage("a modulus is a positive integer")
        content = packing.content_of_integers(integers)
        if content.segments:
            values.append({"value": (yield from upload(content, f"{len(integers)} integers", deadline))})
        spec += [len(content.segments), len(integers), len(content.data)]
    return (yield from one({"type": "submit", "key": key or str(uuid.uuid4()), "kind": kind,
                            "spec": " ".join(map(str, spec)), "inputs": values}, deadline))


def submit(words: Sequence[Any], key: Optional[str], deadline: Optional[float]) -> Steps[Row]:
    if any(_is_list(word) or _is_value(word) for word in words[1:]):
        return (yield from submit_lists(str(words[0]), words[1:], key, deadline))
    said = " ".join(str(word) for word in words).split()
    if not said:
        raise errors.Usage("a job is needed, such as `factorial 10`")
    return (yield from one({"type": "submit", "key": key or str(uuid.uuid4()), "kind": said[0], "spec": " ".join(said[1:])},
                           deadline))


def wait(job: int, deadline: Optional[float]) -> Steps[Row]:
    while True:
        row = yield from one({"type": "job_get", "job": job, "wait_ms": int(WAIT * 1000)}, deadline, wait=WAIT, lasting=True)
        if row["state"] in FINAL:
            return row


def check_state(row: Row) -> None:
    if row["state"] == "cancelled":
        raise errors.Cancelled(f"job {job_text(row['job'])} was cancelled")
    if row["state"] == "failed":
        raise errors.Failed(f"job {job_text(row['job'])} failed: {row.get('error', '')}")


def result(job: int, deadline: Optional[float]) -> Steps[bytes]:
    row = yield from wait(job, deadline)
    check_state(row)
    if row.get("tasks"):
        raise errors.Usage(f"job {job_text(job)} runs commands: its tasks have outputs, not one result")
    size, data = row.get("digits", 0), bytearray()
    while len(data) < size:
        reply = yield from ask({"type": "result_get", "job": job, "offset": len(data)}, deadline, lasting=True)
        if not reply.frames or not reply.frames[0]:
            raise errors.Failed("an empty part of the result came")
        data += reply.frames[0]
    if row.get("sha256") and hashlib.sha256(data).digest() != row["sha256"]:
        raise errors.Failed(f"the result of job {job_text(job)} differs from its SHA-256")
    return bytes(data)


def pages(body: Row, rows: str, deadline: Optional[float]) -> Steps[List[Row]]:
    """All rows of a list. A page that leads nowhere is an error: it could have us ask for ever."""
    found: List[Row] = []
    after: Any = None
    while True:
        reply = yield from ask({**body, "after": after} if after else body, deadline)
        page = reply.body.get(rows) or []
        found += page
        if not reply.body.get("more"):
            return found
        following = reply.body.get("after") or (page[-1][PLACES[rows]] if page else None)
        if not following or (after and following <= after):
            raise errors.Failed(f"a page of {rows} does not fit")
        after = following


def get(job: int, deadline: Optional[float]) -> Steps[Row]:
    return one({"type": "job_get", "job": job}, deadline)


def find_job(id_: str, deadline: Optional[float]) -> Steps[Tuple[Row, Optional[int]]]:
    """The row, and how many tasks it has when it runs commands."""
    row = yield from get(job_number(id_), deadline)
    return row, int(row["tasks"][0]["total"]) if row.get("tasks") else None


def cancel(job: int, deadline: Optional[float]) -> Steps[bool]:
    row = yield from one({"type": "job_cancel", "job": job}, deadline)
    return bool(row["state"] == "cancelled")


def forget(job: int, deadline: Optional[float]) -> Steps[None]:
    yield from ask({"type": "job_forget", "jobs": [{"job": job}]}, deadline)


def explain(job: int, deadline: Optional[float]) -> Steps[List[str]]:
    reply = yield from ask({"type": "job_explain", "job": job}, deadline)
    return str(reply.body["text"]).splitlines()


def operations(job: int, deadline: Optional[float]) -> Steps[List[Row]]:
    return pages({"type": "job_trace", "job": job}, "ops", deadline)


def jobs(state: Optional[str], newest: int, deadline: Optional[float]) -> Steps[List[Row]]:
    found = yield from pages({"type": "job_list"}, "jobs", deadline)
    return [row for row in found if state in (None, row["state"])][-newest:]


# --- the cluster ---

def status(deadline: Optional[float]) -> Steps[Row]:
    return (yield from ask({"type": "status_get"}, deadline)).body


def quota(deadline: Optional[float]) -> Steps[Row]:
    keys = yield from pages({"type": "quota_get"}, "keys", deadline)
    body = (yield from ask({"type": "quota_get"}, deadline)).body
    return {**{name: body[name] for name in ("jobs_max", "bytes_max", "bounded")}, "keys": keys}


def _of_node(kind: str, node: int) -> Row:
    return {"type": kind, **({"node": node} if node else {})}


def snapshot(node: int, deadline: Optional[float]) -> Steps[Row]:
    return one(_of_node("snapshot_take", node), deadline, "heads", wait=SNAPSHOT_WAIT)


def snapshots(node: int, deadline: Optional[float]) -> Steps[List[Row]]:
    return pages(_of_node("snapshot_list", node), "heads", deadline)


# --- what nodes keep ---

def progress_set(node: int, state: int, deadline: Optional[float]) -> Steps[None]:
    yield from ask({"type": "progress_set", "index": node, "state": state}, deadline)


def progress_snap(key: Optional[str], deadline: Optional[float]) -> Steps[int]:
    reply = yield from ask({"type": "progress_snap", "key": key or str(uuid.uuid4())}, deadline)
    return int(reply.body["snapshot"])


def progress_get(node: int, snap: Optional[int], deadline: Optional[float]) -> Steps[int]:
    past = {} if snap is None else {"past": True, "snapshot": snap}
    body = (yield from ask({"type": "progress_get", "index": node, **past}, deadline)).body
    if not body.get("found"):
        raise errors.NotFound(f"there is no snap {snap}")
    return int(body["state"])


def kv_get(node: int, name: str, deadline: Optional[float]) -> Steps[str]:
    body = (yield from ask({"type": "kv_get", "node": node, "name": name}, deadline)).body
    if not body.get("found"):
        raise errors.NotFound(f"there is no value {name} on node {node}")
    return str(body.get("value", ""))


def kv_list(node: int, prefix: str, deadline: Optional[float]) -> Steps[Dict[str, str]]:
    found: Dict[str, str] = {}
    after = ""
    while True:
        body = (yield from ask({"type": "kv_list", "node": node, "prefix": prefix, "after": after}, deadline)).body
        rows = body.get("values") or []
        found.update((row["name"], row["value"]) for row in rows)
        if not body.get("more") or not rows or rows[-1]["name"] <= after:
            return found
        after = rows[-1]["name"]


def kv_change(kind: str, key: Optional[str], deadline: Optional[float], **more: Any) -> Steps[None]:
    yield from ask({"type": kind, "key": key or str(uuid.uuid4()), **more}, deadline)


def bank_change(kind: str, key: Optional[str], deadline: Optional[float], **more: Any) -> Steps[int]:
    reply = yield from ask({"type": kind, "key": key or str(uuid.uuid4()), **more}, deadline)
    return int(reply.body["balance"])


def bank_balance(node: int, account: str, deadline: Optional[float]) -> Steps[int]:
    return int((yield from ask({"type": "bank_balance", "node": node, "account": account}, deadline)).body["balance"])


def bank_list(node: int, deadline: Optional[float]) -> Steps[Dict[str, int]]:
    found: Dict[str, int] = {}
    after = ""
    while True:
        body = (yield from ask({"type": "bank_list", "node": node, "after": after}, deadline)).body
        rows = body.get("accounts") or []
        found.update((row["account"], row["balance"]) for row in rows)
        if not body.get("more"):
            return found
        if not rows or rows[-1]["account"] <= after:
            raise errors.Failed(f"a page of accounts of node {node} leads nowhere")
        after = rows[-1]["account"]


def snapshot_bytes(head: Row, deadline: Optional[float]) -> Steps[bytes]:
    data, total = bytearray(), 1
    which = {"node": head["initiator"], "incarnation": head["incarnation"], "counter": head["counter"]}
    while len(data) < total:
        reply = yield from ask({"type": "snapshot_get", "offset": len(data), **which}, deadline)
        total = reply.body["total"]
        if not reply.frames or not reply.frames[0] or reply.body["offset"] != len(data) or len(data) + len(reply.frames[0]) > total:
            raise errors.Failed("a part of the snapshot does not fit")
        data += reply.frames[0]
    return bytes(data)


# --- stored values ---

def _chunks(value: int, content: packing.Content, durable: int) -> Iterator[Ask]:
    for number, segment in enumerate(content.segments[durable:], durable + 1):
        for offset in range(0, segment.len, CHUNK):
            data = content.data[segment.offset + offset:segment.offset + min(offset + CHUNK, segment.len)]
            yield Ask({"type": "value_put", "value": value, "segment": number, "offset": offset, "len": segment.len,
                       "sha256": segment.sha256, "items": segment.items}, [data])


def _send(row: Row, content: packing.Content) -> Steps[None]:
    asks: List[Ask] = []
    for chunk in _chunks(row["value"], content, row["segments"]):
        asks.append(chunk)
        if len(asks) == WINDOW:
            yield asks
            asks = []
    if asks:
        yield asks


def upload(content: packing.Content, name: str, deadline: Optional[float]) -> Steps[int]:
    """Returns the value's number. What is there is not sent again; what is refused is begun again behind what is durable."""
    tries, durable = 0, -1
    while True:
        row = yield from one({"type": "value_begin", "sha256": content.sha256, "len": len(content.data),
                              "format": content.format, "name": name.encode()[:NAME_MAX].decode(errors="ignore")}, deadline, "values")
        number: int = row["value"]
        if row["whole"]:
            return number
        tries = 1 if row["segments"] > durable else tries + 1
        durable = row["segments"]
        try:
            yield from _send(row, content)
            yield from one({"type": "value_end", "value": number}, deadline, "values")
            return number
        except errors.Failed:  # a new coordinator knows less of it
            if tries >= UPLOAD_TRIES:
                raise
            yield Pause(min(0.03 * tries, 0.5))


def find_value(name: Union[str, bytes], deadline: Optional[float]) -> Steps[Row]:
    """By what people call it ("value:9c1f...", or the digits of its SHA-256 alone), by its id, or by its SHA-256."""
    digits = name.hex() if isinstance(name, bytes) else name[len(VALUE):] if _is_value(name) else name
    if "-" in digits:
        number = job_number(digits)
        page = yield from ask({"type": "value_list", "after": number - 1}, deadline)
        found: List[Row] = [row for row in page.body.get("values") or [] if row["value"] == number]
    elif 4 <= len(digits) <= 64 and not set(digits.lower()) - set("0123456789abcdef"):
        found = yield from pages({"type": "value_list", "prefix": digits.lower()}, "values", deadline)
    else:
        raise errors.Usage(f"'{digits}' is not a stored value: that is value: and 4 to 64 hexadecimal digits of its SHA-256")
    if not found:
        raise errors.NotFound(f"there is no stored value {digits}")
    if len(found) > 1:
        raise errors.Usage(f"{digits} may be {len(found)} values; give more digits, or the id")
    return found[0]


def value_get(name: Union[str, bytes], deadline: Optional[float]) -> Steps[bytes]:
    row = yield from find_value(name, deadline)
    data = bytearray()
    while len(data) < row["len"]:
        reply = yield from ask({"type": "value_read", "value": row["value"], "offset": len(data), "len": CHUNK}, deadline)
        if not reply.frames or not reply.frames[0]:
            raise errors.Failed("an empty part of a value came")
        data += reply.frames[0]
    if hashlib.sha256(data).digest() != row["sha256"]:
        raise errors.Failed("a value differs from its SHA-256")
    return bytes(data)


def value_put(data: bytes, name: str, deadline: Optional[float]) -> Steps[int]:
    return upload(packing.content_of_bytes(data), name, deadline)


def value_put_integers(integers: Iterable[int], name: str, deadline: Optional[float]) -> Steps[int]:
    return upload(packing.content_of_integers(list(integers)), name, deadline)


def value_drop(name: Union[str, bytes], deadline: Optional[float]) -> Steps[None]:
    row = yield from find_value(name, deadline)
    yield from ask({"type": "value_drop", "value": row["value"]}, deadline)


def values(deadline: Optional[float]) -> Steps[List[Row]]:
    return pages({"type": "value_list"}, "values", deadline)
