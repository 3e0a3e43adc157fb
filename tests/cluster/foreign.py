#!/usr/bin/python3
"""A node of a cluster that shares nothing with the others but docs/protocol.md: a follower that replicates.

It keeps the log and its values on a disk of its own, acknowledges, votes and is admitted as the page says, and does no
work. What it needed to know is on that page; when a change of the code breaks this file, the page has to change as well.

    foreign.py --id 3 --nodes 4 --voters 3 --port 9000 --dir DIR --access KEYFILE [--mute FILE]

While FILE exists it acknowledges nothing, and does all else.
"""
import argparse
import hashlib
import os
import random
import secrets
import time

import msgpack
import zmq

from foreign_disk import Disk, named_by_entry, named_by_row, rows_of_part, unpack
from foreign_keys import Keys

CONTROL, CHANNEL, CHECKPOINT, HEARTBEAT, VALUE = range(5)
PLANES = (CONTROL, CHECKPOINT, VALUE)  # without the channel plane it is given no work

BEAT_S, TIMEOUT_S, WELCOME_S = 0.05, 0.5, 1.0
CHUNK, WINDOW, CHUNK_S, SOURCE_S = 512 * 1024, 4, 0.3, 2.0
ROUNDS_OF_SOURCES = 3  # before a value counts as gone everywhere
PARKED_MAX = 64


# --- connections ---------------------------------------------------------------------------------

class Link:
    """Our DEALER to a peer on a plane. A connection that breaks, or is not welcomed, is made again."""

    def __init__(self, node, peer, plane):
        self.node, self.peer, self.plane = node, peer, plane
        self.socket, self.connection, self.welcomed = None, 0, False
        self.greet()

    def greet(self):
        self.close()
        self.socket = self.node.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self.node.keys.present(self.socket, self.peer)
        self.ends = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(f"tcp://127.0.0.1:{self.node.port_of(self.peer, self.plane)}")
        self.connection, self.welcomed, self.since = self.connection + 1, False, time.monotonic()
        node = self.node
        hello = dict(type="hello", cluster=node.options.cluster, plane=self.plane, src=node.id,
                     incarnation=node.incarnation, dst=self.peer, connection=self.connection, version="foreign",
                     birth=node.disk.birth, nodes=node.options.nodes, voters=node.options.voters)
        if node.cluster_id:
            hello["cluster_id"] = node.cluster_id
        self.socket.send(msgpack.packb(hello))

    def check(self, now):
        """Whether the connection has ended; then it is made again."""
        broken = False
        while self.ends.poll(0):
            self.ends.recv_multipart()
            broken = True
        if broken or (not self.welcomed and now > self.since + WELCOME_S):
            self.greet()
        return broken

    def send(self, body, *frames):
        try:
            self.socket.send_multipart([msgpack.packb(body), *frames], zmq.DONTWAIT)
        except zmq.Again:
            pass  # as if it were lost on the way

    def close(self):
        if self.socket:
            self.socket.disable_monitor()
            self.socket.close()


# --- values that are fetched ---------------------------------------------------------------------

class Fetch:
    """A value on its way, in chunks, from one node after another."""

    def __init__(self, name, length, digest, index):
        self.name, self.length, self.digest, self.index = name, length, digest, index
        self.tries, self.source = 0, 0
        self.begin(0, 0)

    def begin(self, source, now):
        self.source, self.moved = source, now
        self.chunks, self.asked = {}, {}

    def due(self, now):
        """Offsets to ask for now."""
        missing = [at for at in range(0, self.length, CHUNK) if at not in self.chunks][:WINDOW]
        due = [at for at in missing if now > self.asked.get(at, -1) + CHUNK_S]
        self.asked.update({at: now for at in due})
        return due

    def take(self, offset, data, now):
        """The whole value, once all is there."""
        if offset % CHUNK or offset >= self.length or len(data) != min(CHUNK, self.length - offset):
            return None
        self.moved, self.chunks[offset] = now, data
        if len(self.chunks) * CHUNK < self.length:
            return None
        return b"".join(self.chunks[at] for at in sorted(self.chunks))


# --- the node ------------------------------------------------------------------------------------

class Node:
    def __init__(self, options):
        self.options, self.id = options, options.id
        self.disk = Disk(options.dir)
        self.incarnation = (self.disk.boots + 1) << 32 | secrets.randbits(32)
        self.disk.write("boot", self.incarnation)
        self.disk.sync()
        self.seq = self.round = self.coordinator = 0
        self.contact = self.patience = self.beat = time.monotonic()
        self.fetched = 0
        self.commit, self.births = self.disk.base, {}
        self.parked, self.fetches, self.install = [], {}, None
        self.incarnations, self.names, self.told_found, self.useless = {}, {}, {}, set()
        self.outbox = []  # leaves when what was written is on the disk
        self.read_births()
        self.open()

    # sockets

    def port_of(self, node, plane):
        return self.options.port + 100 + 10 * node + plane

    def open(self):
        self.context = zmq.Context()
        self.keys = Keys(self.options.access, self.context)
        self.routers = {plane: self.context.socket(zmq.ROUTER) for plane in PLANES}
        for plane, router in self.routers.items():
            self.keys.guard(router, plane)
            router.bind(f"tcp://127.0.0.1:{self.port_of(self.id, plane)}")
        self.pub, self.sub = self.context.socket(zmq.PUB), self.context.socket(zmq.SUB)
        self.keys.guard(self.pub, HEARTBEAT)
        self.pub.bind(f"tcp://127.0.0.1:{self.port_of(self.id, HEARTBEAT)}")
        self.sub.subscribe(b"")
        self.sub.setsockopt(zmq.RECONNECT_IVL, 50)
        self.peers = [peer for peer in range(1, self.options.nodes + 1) if peer != self.id]
        for peer in self.peers:
            self.keys.present(self.sub, peer)
            self.sub.connect(f"tcp://127.0.0.1:{self.port_of(peer, HEARTBEAT)}")
        self.links = {(peer, plane): Link(self, peer, plane) for peer in self.peers for plane in PLANES}

    def run(self):
        poller = zmq.Poller()
        for socket in (*self.routers.values(), self.sub):
            poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(10))
            for plane, router in self.routers.items():
                if router in ready:
                    self.drain(plane, router)
            while self.sub.poll(0):
                self.take_heartbeat(msgpack.unpackb(self.sub.recv_multipart()[0]))
            self.tick(time.monotonic())
            self.flush()

    def drain(self, plane, router):
        for _ in range(256):
            try:
                routing_id, *frames = router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.take(plane, routing_id, frames)

    def flush(self):
        """Nothing leaves before what it promises is on the disk."""
        self.disk.sync()
        for peer, plane, body, frames in self.outbox:
            self.links[peer, plane].send(body, *frames)
        self.outbox.clear()

    def send(self, peer, plane, body, *frames):
        self.outbox.append((peer, plane, body, frames))

    # who is there

    @property
    def cluster_id(self):
        return self.disk.identity["cluster_id"] if self.disk.identity else b""

    def take(self, plane, routing_id, frames):
        try:
            body = msgpack.unpackb(frames[0])
        except ValueError:
            return  # not of a node
        if body["type"] == "hello":
            self.take_hello(plane, routing_id, body)
            return
        sender = self.names.get((plane, routing_id))
        handler = {"welcome": self.take_welcome, "found": self.take_found, "vote_request": self.take_vote_request,
                   "account_query": self.take_account_query, "append": self.take_append,
                   "install": self.take_install, "value_get": self.take_value_get,
                   "value_chunk": self.take_value_chunk}.get(body["type"])
        if sender and handler:
            handler(sender, body, frames)

    def take_hello(self, plane, routing_id, body):
        sender = body["src"]
        ours = body["cluster"] == self.options.cluster and body["dst"] == self.id and sender in self.peers
        foreign = self.cluster_id and body.get("cluster_id") not in (None, self.cluster_id)
        if not ours or foreign or body["plane"] != plane:
            return
        if self.incarnations.get(sender) != body["incarnation"]:
            self.names = {at: node for at, node in self.names.items() if node != sender}
            known = sender in self.incarnations
            self.incarnations[sender] = body["incarnation"]
            for (peer, _), link in self.links.items():
                if peer == sender and known:
                    link.greet()
        self.names = {at: node for at, node in self.names.items() if (at[0], node) != (plane, sender)}
        self.names[plane, routing_id] = sender
        self.send(sender, plane, dict(type="welcome", plane=plane, src=self.id, incarnation=self.incarnation,
                                      dst_incarnation=body["incarnation"], connection=body["connection"]))

    def take_welcome(self, sender, body, _):
        link = self.links[sender, body["plane"]]
        if body["dst_incarnation"] == self.incarnation and body.get("connection") == link.connection:
            link.welcomed = True

    def take_account_query(self, sender, body, _):
        self.send(sender, CONTROL, dict(type="account_reply", account=body["account"], exists=False))

    # heartbeats

    def take_heartbeat(self, body):
        current = self.incarnations.get(body["node"]) == body["incarnation"]
        if body["type"] != "heartbeat" or not current or not self.cluster_id:
            return
        if not body.get("cluster_id"):
            self.tell(body["node"])
        elif body["cluster_id"] == self.cluster_id and body["role"] == "coordinator":
            self.follow(body["node"], body["term"])
        elif body["cluster_id"] == self.cluster_id and body["term"] > self.disk.term:
            self.enter(body["term"])

    def publish(self):
        self.seq += 1
        body = dict(type="heartbeat", node=self.id, incarnation=self.incarnation, seq=self.seq,
                    time_ms=int(time.time() * 1000), term=self.disk.term, role="worker",
                    coordinator=self.coordinator, operations=0, held=0, applied=self.commit, rejected=0,
                    birth=self.disk.birth, version="foreign", voter=self.counts(), fetched=self.fetched)
        if self.cluster_id:
            body["cluster_id"] = self.cluster_id
        self.pub.send(msgpack.packb(body))

    def tick(self, now):
        for (peer, plane), link in self.links.items():
            if link.check(now) and plane == CONTROL and peer == self.coordinator:
                self.contact = 0  # its process has probably ended: others may get our vote at once
        if self.coordinator and now > self.patience:
            self.coordinator = 0  # it is not called ours when it is not heard any more
        self.pull(now)
        if now >= self.beat:
            self.beat = now + BEAT_S
            self.disk.sync()
            self.publish()

    # the cluster, and whether this disk counts

    def read_births(self):
        identity = self.disk.identity
        self.births = {row["node"]: row["birth"] for row in identity["births"]} if identity else {}
        for part in self.disk.parts:
            for row in rows_of_part(part):
                if row["type"] == "image_head":
                    self.births = {it["node"]: it["birth"] for it in row.get("births", [])}

    def take_found(self, sender, body, _):
        del sender
        size = body["nodes"] == self.options.nodes and body["voters"] == self.options.voters
        if not size or body["cluster_id"] == self.cluster_id:
            return
        if self.disk.identity and not self.prefers(body):
            return
        self.disk.write("identity", body)
        self.read_births()
        self.disk.write("vote", self.disk.term, self.disk.vote, self.births.get(self.id) == self.disk.birth)
        for peer in self.peers:
            self.told_found.pop(peer, None)
            self.tell(peer)

    def tell(self, peer):
        """At most once in a timeout."""
        now = time.monotonic()
        if now > self.told_found.get(peer, 0) + TIMEOUT_S:
            self.told_found[peer] = now
            self.send(peer, CONTROL, self.disk.identity | {"elected": self.disk.last > 0})

    def prefers(self, other):
        ours = self.disk.identity
        if self.disk.term or self.disk.last:
            return False
        return other.get("elected", False) or \
            (other["founder"], other["cluster_id"]) < (ours["founder"], ours["cluster_id"])

    def admission(self, packed):
        """The disk that an entry admits for this node, or None."""
        body, _ = unpack(packed)
        if body["type"] == "entry_voter_admitted" and body["node"] == self.id and \
                body["cluster_id"] == self.cluster_id:
            return body["birth"]
        return None

    def named(self):
        """The disk that the log names for this node; 0: none yet."""
        for index in range(self.disk.last, self.commit, -1):
            admitted = self.admission(self.disk.log[index][1])
            if admitted:
                return admitted
        return self.births.get(self.id, 0)

    def counts(self):
        return bool(self.cluster_id) and self.id <= self.options.voters and self.disk.voter and \
            self.named() in (0, self.disk.birth)

    # terms and votes

    def enter(self, term):
        self.disk.write("vote", term, 0, self.disk.voter)
        self.coordinator = 0

    def follow(self, sender, term):
        """Whether the sender coordinates as far as we know."""
        if not self.cluster_id or term < self.disk.term:
            return False
        if term > self.disk.term:
            self.enter(term)
        if self.coordinator != sender:
            self.coordinator, self.round, self.install = sender, 0, None
            self.parked.clear()
            self.fetches.clear()
        self.contact = time.monotonic()
        self.patience = self.contact + random.uniform(TIMEOUT_S, 2 * TIMEOUT_S)
        return True

    def take_vote_request(self, sender, body, _):
        if max(sender, self.id) > self.options.voters or body["cluster_id"] != self.cluster_id or not self.cluster_id:
            return
        term, pre = body["term"], body["pre"]
        lives = self.coordinator and time.monotonic() < self.contact + TIMEOUT_S
        granted = not lives and term >= self.disk.term and self.counts()
        if granted and not pre and term > self.disk.term:
            self.enter(term)
        log = (self.disk.term_of(self.disk.last), self.disk.last)
        granted = granted and (body["last_term"], body["last_index"]) >= log
        granted = granted and (term > self.disk.term if pre else self.disk.vote in (0, sender))
        if granted and not pre and not self.disk.vote:
            self.disk.write("vote", term, sender, self.disk.voter)
        self.send(sender, CONTROL, dict(type="vote_reply", pre=pre, granted=granted, voter=self.counts(),
                                        term=term if granted else self.disk.term, cluster_id=self.cluster_id))

    # appends

    def acknowledge(self, sender, **body):
        if not (self.options.mute and os.path.exists(self.options.mute)):
            self.send(sender, CHECKPOINT, dict(term=self.disk.term, round=self.round, voter=self.counts()) | body)

    def reply(self, sender, **body):
        self.acknowledge(sender, type="append_reply", commit=self.commit, **body)

    def take_append(self, sender, body, frames):
        if body["cluster_id"] != self.cluster_id:
            return
        if not self.follow(sender, body["term"]):
            self.reply(sender, ok=False, match=0)
            return
        self.round = max(self.round, body["round"])
        if self.parked and body["prev_index"] > self.disk.last:
            if len(self.parked) < PARKED_MAX:
                self.parked.append((body, frames))
            self.reply(sender, ok=True, wait=True, match=self.commit)
            return
        match, waits = self.append(body, frames)
        if match is None:
            self.reply(sender, ok=False, match=self.step_back(body["prev_index"]))
            return
        if waits and not self.parked:
            self.parked.append((body, frames))
        self.reply(sender, ok=True, match=match, wait=bool(self.parked))

    def append(self, body, frames):
        """How far the log is the coordinator's now (None: they do not meet), and whether the rest waits for values."""
        index = body["prev_index"]
        if index > self.disk.last or (index >= self.disk.base and self.disk.term_of(index) != body["prev_term"]):
            return None, False
        waits = False
        for item in body.get("entries", []):
            packed, index = frames[item["frame"]], index + 1
            if index <= self.disk.base or self.disk.term_of(index) == item["term"]:
                continue
            if self.want(named_by_entry(packed), index):
                index, waits = index - 1, True
                break
            if index <= self.disk.last:
                self.disk.write("cut", index)
            self.disk.write("entry", index, item["term"], packed)
            admitted = self.admission(packed)
            if admitted and admitted != self.disk.birth:
                self.disk.write("vote", self.disk.term, self.disk.vote, False)
        self.apply(min(body["commit"], index))
        return index, waits

    def step_back(self, index):
        """Where the coordinator should try next: before all entries of the term that conflicts."""
        if index > self.disk.last:
            return self.disk.last
        conflict = self.disk.term_of(index)
        while index > self.disk.base and self.disk.term_of(index) == conflict:
            index -= 1
        return max(index, self.commit)

    def apply(self, commit):
        while self.commit < min(commit, self.disk.last):
            self.commit += 1
            admitted = self.admission(self.disk.log[self.commit][1])
            if admitted:
                self.births[self.id] = admitted
                self.admit()

    def admit(self):
        ours = self.births.get(self.id) == self.disk.birth
        if ours and not self.disk.voter:
            # Whom the disk before this one voted for can only be whoever was elected.
            self.disk.write("vote", self.disk.term, self.disk.vote or self.coordinator, True)
        elif not ours and self.named() != self.disk.birth:
            self.disk.write("vote", self.disk.term, self.disk.vote, False)

    # checkpoints

    def take_install(self, sender, body, frames):
        if body["cluster_id"] != self.cluster_id:
            return
        if not self.follow(sender, body["term"]):
            self.reply_install(sender, body, 0)
            return
        self.round = max(self.round, body["round"])
        if self.disk.term_of(body["index"]) == body["index_term"]:
            self.apply(body["index"])
        if body["index"] <= self.commit:
            self.reply_install(sender, body, body["parts"])
            return
        which = body["index"], body["index_term"], body["parts"]
        if not self.install or self.install["which"] != which:
            if body["part"]:
                self.reply_install(sender, body, 0)
                return
            self.fetches.clear()
            self.parked.clear()
            self.install = dict(which=which, parts=[], body=body)
        parts = self.install["parts"]
        for number, item in enumerate(body["items"], body["part"]):
            if number == len(parts):
                parts.append(frames[item["frame"]])
                for row in rows_of_part(parts[-1]):
                    self.want(named_by_row(row), body["index"])
        if not self.finish_install(sender):
            self.reply_install(sender, body, min(len(parts), body["parts"] - 1))

    def finish_install(self, sender):
        index, term, n = self.install["which"]
        if len(self.install["parts"]) < n or self.fetches:
            return False
        body, parts = self.install["body"], self.install["parts"]
        self.disk.write("checkpoint", index, term, parts)
        self.install, self.commit = None, index
        self.read_births()
        self.admit()
        self.reply_install(sender, body, n)
        return True

    def reply_install(self, sender, body, next_part):
        self.acknowledge(sender, type="install_reply", index=body["index"], next=next_part)

    # values

    def want(self, named, index):
        """Begins to fetch what is not here; whether anything is not."""
        missing = {name: what for name, what in named.items() if name not in self.useless and
                   not self.disk.has(name, *what)}
        for name, (length, digest) in missing.items():
            if name not in self.fetches:
                self.fetches[name] = Fetch(name, length, digest, index)
        return bool(missing)

    def pull(self, now):
        for fetch in list(self.fetches.values()):
            if not fetch.source:
                fetch.begin(self.coordinator, now)
            elif now > fetch.moved + SOURCE_S:
                self.next_source(fetch, now)
            if fetch.source and fetch.name in self.fetches:
                for offset in fetch.due(now):
                    self.send(fetch.source, VALUE, dict(type="value_get", src=self.id, job=fetch.name[0],
                                                        op=fetch.name[1], offset=offset, len=CHUNK,
                                                        index=fetch.index))

    def next_source(self, fetch, now):
        fetch.tries += 1
        if fetch.tries < ROUNDS_OF_SOURCES * len(self.peers):
            at = self.peers.index(fetch.source) if fetch.source in self.peers else 0
            fetch.begin(self.peers[(at + 1) % len(self.peers)], now)
            return
        self.fetches.clear()
        self.parked.clear()
        self.install = None
        self.reply(self.coordinator or fetch.source, ok=True, match=self.commit, install=True)

    def take_value_chunk(self, sender, body, frames):
        fetch, now = self.fetches.get((body["job"], body["op"])), time.monotonic()
        if not fetch or fetch.source != sender:
            return
        if body.get("used"):
            self.useless.add(fetch.name)  # nobody needs it any more, so neither do we
            self.got(fetch)
        elif not body["found"] or body["total"] != fetch.length:
            self.next_source(fetch, now)
        else:
            self.fetched += len(frames[1])
            data = fetch.take(body["offset"], frames[1], now)
            if data is not None and hashlib.sha256(data).digest() != fetch.digest:
                self.next_source(fetch, now)
            elif data is not None:
                self.disk.keep(fetch.name, data)
                self.got(fetch)

    def got(self, fetch):
        del self.fetches[fetch.name]
        if self.fetches or not self.coordinator:
            return
        if self.install:
            self.finish_install(self.coordinator)
            return
        match, waits = self.commit, False
        while self.parked and not waits:
            match, waits = self.append(*self.parked[0])
            if match is None:
                self.parked.clear()
                return
            if not waits:
                self.parked.pop(0)
        self.reply(self.coordinator, ok=True, match=match, wait=waits)

    def take_value_get(self, sender, body, _):
        data = self.disk.value((body["job"], body["op"]))
        chunk = dict(type="value_chunk", src=self.id, job=body["job"], op=body["op"], offset=body["offset"],
                     total=len(data or b""), found=data is not None)
        piece = [data[body["offset"]:body["offset"] + body["len"]]] if data is not None else []
        self.send(sender, VALUE, chunk, *piece)


def options():
    """What every node of this kind is told at its start."""
    parser = argparse.ArgumentParser()
    for name in ("id", "nodes", "voters", "port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--access", required=True)
    parser.add_argument("--cluster", default="conclave")
    parser.add_argument("--mute")
    return parser


if __name__ == "__main__":
    Node(options().parse_args()).run()
