"""Minorities of the voters are wiped under load; `make wipes` goes through all of them, in every order."""
import pathlib
import sys

import pytest

from harness import SANITIZED

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import acknowledged  # noqa: E402
import wipes         # noqa: E402

SEED = 7
SOME = {3: [(1,), (2,), (3,)], 5: [(1, 2), (5, 3), (4,)]}


@pytest.mark.parametrize("voters", SOME)
def test_wiped_minorities_heal_and_lose_only_their_own_money_R31(make_cluster, voters):
    cluster = make_cluster(nodes=voters, brokers=2, compact_entries=512)
    verdict = acknowledged.Verdict()
    orders = SOME[voters][:1] if SANITIZED else SOME[voters]
    longest, load = wipes.run(cluster, orders, SEED, verdict, print)
    assert not verdict.faults
    assert longest <= wipes.HEAL_SECONDS or SANITIZED
    assert load.accepted() and load.setter.settled and load.snapper.settled and load.teller.settled
