#!/usr/bin/python3
"""A voter whose key somebody has stolen: it does what foreign.py does, and forges messages of the same node beside that.

    liar.py --id 3 --nodes 4 --voters 3 --port 9000 --dir DIR --access KEYFILE --lie FILE

As long as FILE exists it says a term that no election has led to, in every message in which a node can say one: the
number in FILE, or so much more than its own term when that begins with "+".
"""
import os

import msgpack

import foreign

INDEX = 2 ** 53 - 1


class Liar(foreign.Node):
    def term(self):
        try:
            with open(self.options.lie, encoding="ascii") as file:
                text = file.read().strip()
        except FileNotFoundError:
            return None
        if not text:
            return None
        return self.disk.term + int(text[1:]) if text.startswith("+") else int(text)

    def publish(self):
        super().publish()
        term = self.term()
        if term is None or not self.cluster_id:
            return
        for role, coordinator in (("worker", 0), ("candidate", 0), ("coordinator", self.id)):
            self.seq += 1
            self.pub.send(msgpack.packb(dict(
                type="heartbeat", node=self.id, incarnation=self.incarnation, seq=self.seq, time_ms=1, term=term, role=role,
                coordinator=coordinator, serving=bool(coordinator), operations=0, held=0, applied=self.commit, rejected=0,
                birth=self.disk.birth, version="foreign", voter=self.counts(), cluster_id=self.cluster_id)))
        for peer in self.peers:
            self.lie_to(peer, term)

    def lie_to(self, peer, term):
        mine = dict(term=term, cluster_id=self.cluster_id)
        for pre in (False, True):
            # Less complete than any log: it asks for no vote that it could win.
            self.send(peer, foreign.CONTROL, dict(type="vote_request", pre=pre, last_index=0, last_term=0) | mine)
            self.send(peer, foreign.CONTROL, dict(type="vote_request", pre=pre, last_index=INDEX, last_term=term) | mine)
            self.send(peer, foreign.CONTROL, dict(type="vote_reply", pre=pre, granted=False, voter=True) | mine)
        log = dict(round=0, cluster_id=self.cluster_id)
        self.send(peer, foreign.CHECKPOINT, dict(type="append", prev_index=INDEX, prev_term=term, commit=INDEX, term=term) | log)
        self.send(peer, foreign.CHECKPOINT, dict(type="install", index=INDEX, index_term=term, part=0, parts=1, items=[],
                                                 term=term) | log)
        self.send(peer, foreign.CHECKPOINT, dict(type="append_reply", term=term, round=0, ok=True, match=INDEX, commit=INDEX,
                                                 voter=self.counts()))
        self.send(peer, foreign.CHECKPOINT, dict(type="append_reply", term=self.disk.term, round=2 ** 60, ok=True, match=INDEX,
                                                 commit=INDEX, voter=self.counts()))


def main():
    parser = foreign.options()
    parser.add_argument("--lie", required=True)
    Liar(parser.parse_args()).run()


if __name__ == "__main__":
    if os.environ.get("PYTHONDONTWRITEBYTECODE") is None:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
