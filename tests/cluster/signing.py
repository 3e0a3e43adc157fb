"""Signatures of requests as docs/protocol.md has them, for clients of tests that share nothing with the product but libsodium."""
import ctypes
import ctypes.util
import hashlib
import json
import pathlib
import struct
import time

from zmq.utils import z85

SIGNED = ("init", "snapshot_take", "snapshot_get", "access_set")  # what needs commands or admin
sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))


def sign(seed, message):
    public, secret, out = (ctypes.create_string_buffer(size) for size in (32, 64, 64))
    sodium.crypto_sign_seed_keypair(public, secret, seed)
    sodium.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), secret)
    return out.raw


class Signer:
    """Signs with the key in a file, for the node that has said what is to be signed."""

    def __init__(self, path):
        self.key = json.loads(pathlib.Path(path).read_text(encoding="ascii"))
        self.node = self.incarnation = self.counter = 0

    def take(self, answer):
        """Whether the answer says what is to be signed."""
        if answer.get("code") != "unsigned":
            return False
        self.node, self.incarnation = answer["node"], answer["incarnation"]
        self.counter = max(self.counter, answer.get("counter", 0))
        return True

    def frame(self, body, cluster=None, public=None, seed=None):
        """The last frame; empty: it asks what is to be signed."""
        if not self.node:
            return b""
        self.counter = max(self.counter + 1, time.time_ns() // 1000)
        whom = struct.pack("<3Q", self.node, self.incarnation, self.counter)
        digest = hashlib.sha256(struct.pack("<Q", len(body)) + body).digest()
        message = (b"conclave request 1\n" + (cluster or self.key["cluster"]).encode() +
                   (public or self.key["public"]).encode() + whom + digest)
        return whom + sign(seed or z85.decode(self.key["signing_secret"].encode()), message)

    def frames(self, kind, body):
        """All frames of a request of that type."""
        return [body, self.frame(body)] if kind in SIGNED else [body]


class Unsigned:
    """In a cluster without keys."""

    def take(self, _):
        return False

    def frames(self, _, body):
        return [body]
