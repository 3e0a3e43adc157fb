"""A large job on a healthy cluster: no event loop stands still, nobody is suspected, nobody is elected.

`make steady` asks for more: the largest job beside the highest load."""
import pytest

import harness
from harness import SANITIZED

pytestmark = pytest.mark.alone

N, DIGITS = (300_000, 1_512_852) if SANITIZED else (3_000_000, 18_128_484)  # a text of 18 MB goes to five disks
# Of a turn, without what it waited for a processor. What a loop would do of the bulk itself adds up: to hash such a
# text takes 10 to 80 ms, as the processor is, to touch its memory for the first time 20.
LONGEST_OWN_US = 50_000


def test_no_loop_stands_still_while_a_large_value_is_spread_W6(make_cluster):
    # A loaded machine may suspect somebody in the usual 500 ms: what a loop does itself is told apart.
    cluster = make_cluster(nodes=6, election_timeout="1500ms").start()
    before = cluster.wait_healthy(20)
    since = cluster.feed.mark()
    job = cluster.submit(N, timeout=120)
    assert job["result"]["digits"] == DIGITS
    after = cluster.wait_healthy(20)
    seen = {row["id"]: (row["longest_turn_own_us"] / 1000, row["longest_turn_own_in"], row["longest_turn_page_faults"])
            for row in after["nodes"]}
    print(f"{N}!, longest turns: " + ", ".join(f"node {node} {own:.1f} ms in {where} ({faults} page faults)"
                                               for node, (own, where, faults) in seen.items()))
    trouble = cluster.feed.trouble(since)
    assert not trouble and after["term"] == before["term"], trouble
    if not SANITIZED:
        assert max(own for own, _, _ in seen.values()) < LONGEST_OWN_US / 1000, seen
