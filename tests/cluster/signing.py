"""Signatures of requests as docs/protocol.md has them, for clients of tests that share nothing with the product but libsodium."""
import ctypes
import ctypes.util
import hashlib
import json
import pathlib
import struct
import time

from zmq.utils import z85

SIGNED = ("init", "snapshot_take", "snapshot_get", "snapshot_value", "access_set", "submit_commands")  # what needs commands or admin
sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))


def sign(seed, message):
    public, secret, out = (ctypes.create_string_buffer(size) for size in (32, 64, 64))
    sodium.crypto_sign_seed_keypair(public, secret, seed)
    sodium.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), secret)
    return out.raw


class Signer:
    """Signs with the key in a file, for the node that has said what is to be signed last, or for any that has said so before."""

    def __init__(self, path):
        self.key = json.loads(pathlib.Path(path).read_text(encoding="ascii"))
        self.node, self.lives = 0, {}  # the last that answered; of each that did: its incarnation, and the last counter

    def take(self, answer):
        """Whether the answer says what is to be signed."""
        if answer.get("code") != "unsigned":
            return False
        self.node = answer["node"]
        _, before = self.lives.get(self.node, (0, 0))
        self.lives[self.node] = answer["incarnation"], max(before, answer.get("counter", 0))
        return True

    def frame(self, body, node=None, cluster=None, public=None, seed=None):
        """The last frame; empty: it asks what is to be signed."""
        node = node or self.node
        if node not in self.lives:
            return b""
        incarnation, counter = self.lives[node]
        self.lives[node] = incarnation, max(counter + 1, time.time_ns() // 1000)
        whom = struct.pack("<3Q", node, *self.lives[node])
        digest = hashlib.sha256(struct.pack("<Q", len(body)) + body).digest()
        message = (b"conclave request 1\n" + (cluster or self.key["cluster"]).encode() +
                   (public or self.key["public"]).encode() + whom + digest)
        return whom + sign(seed or z85.decode(self.key["signing_secret"].encode()), message)

    def frames(self, kind, body, node=None):
        """All frames of a request of that type, for that node, or for the last that answered."""
        return [body, self.frame(body, node)] if kind in SIGNED else [body]

    def knows(self, node):
        """Whether the node has said what is to be signed."""
        return node in self.lives


class Unsigned:
    """In a cluster without keys."""

    def take(self, _):
        return False

    def frames(self, _kind, body, _node=None):
        return [body]

    def knows(self, _):
        return True
