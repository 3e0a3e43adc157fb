"""What the foreign node of foreign.py reads out of entries and checkpoints, and the disk that it keeps them on."""
import hashlib
import os
import pathlib
import struct

import msgpack


def unpack(packed):
    """The map of a packed message, and its frames: each after its length in 32 bits, little-endian."""
    parts, at = [], 0
    while at < len(packed):
        length, = struct.unpack_from("<I", packed, at)
        parts.append(packed[at + 4:at + 4 + length])
        at += 4 + length
    return msgpack.unpackb(parts[0]), parts[1:]


def named_by_done(body):
    """Values that finished operations refer to: (job, op) -> (length, hash)."""
    return {(body["job"], op["op"]): (op["len"], op["hash"])
            for op in body["ops"] if op.get("len") and not op.get("frame")}


def named_by_entry(packed):
    body, _ = unpack(packed)
    return named_by_done(body) if body["type"] in ("entry_ops_done", "entry_job_done") else {}


def rows_of_part(packed):
    """A part of a checkpoint, or those of a bundle."""
    body, frames = unpack(packed)
    return [unpack(frame)[0] for frame in frames] if body["type"] == "image_bundle" else [body]


def named_by_row(body):
    if body["type"] == "image_ops":
        return named_by_done(body)
    if body["type"] == "image_job":
        row = body["jobs"][0]
        if row["state"] == "done" and row.get("digits", 0) > 1000:
            return {(row["job"], row["total"] + 1): (row["digits"], row["sha256"])}
    return {}


# --- the disk ------------------------------------------------------------------------------------

class Disk:
    """A file of records, replayed at the start, and a file for each value."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        (self.dir / "values").mkdir(parents=True, exist_ok=True)
        self.boots = self.birth = self.term = self.vote = self.base = self.base_term = 0
        self.voter, self.identity, self.parts, self.log = False, None, [], {}
        self.dirty = False
        self.file = open(self.dir / "records", "ab+")
        self._replay()

    def _replay(self):
        self.file.seek(0)
        data, at = self.file.read(), 0
        while at + 4 <= len(data):
            length, = struct.unpack_from("<I", data, at)
            if at + 4 + length > len(data):
                break
            self._apply(*msgpack.unpackb(data[at + 4:at + 4 + length], strict_map_key=False))
            at += 4 + length
        self.file.truncate(at)  # what a crash has torn was promised to nobody
        self.file.seek(at)

    def _apply(self, kind, *what):
        if kind == "boot":
            self.boots, self.birth = self.boots + 1, self.birth or what[0]
        elif kind == "identity":
            self.identity = what[0]
        elif kind == "vote":
            self.term, self.vote, self.voter = what
        elif kind == "entry":
            self.log[what[0]] = what[1:]
        elif kind == "cut":
            self.log = {i: entry for i, entry in self.log.items() if i < what[0]}
        elif kind == "checkpoint":
            self.base, self.base_term, self.parts = what
            self.log = {}

    def write(self, *record):
        packed = msgpack.packb(record)
        self.file.write(struct.pack("<I", len(packed)) + packed)
        self._apply(*record)
        self.dirty = True

    def sync(self):
        if self.dirty:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.dirty = False

    # the log

    @property
    def last(self):
        return self.base + len(self.log)

    def term_of(self, index):
        """None: there is no such entry, or a checkpoint covers it."""
        if index == self.base:
            return self.base_term
        return self.log[index][0] if index in self.log else None

    # values

    def path(self, name):
        return self.dir / "values" / f"{name[0]}-{name[1]}"

    def value(self, name):
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def has(self, name, length, digest):
        data = self.value(name)
        return data is not None and len(data) == length and hashlib.sha256(data).digest() == digest

    def keep(self, name, data):
        fresh = self.path(name).with_suffix(".new")
        with open(fresh, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.path(name))
        directory = os.open(self.dir / "values", os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
