"""A subscription that was heard and falls silent, although its connection lives, is made anew: in every client of the feed."""
import json
import sys
import threading

import pytest

from deaf import DeafBroker
from harness import ROOT, Cluster, wait_for
from web import Stream, Web

sys.path.insert(0, str(ROOT / "clients/python/src"))
import conclave  # noqa: E402


@pytest.fixture(name="parts", scope="module")
def cluster_behind_a_deaf_broker(tmp_path_factory, request):
    cluster = Cluster(tmp_path_factory.mktemp("silent"), nodes=1, insecure=True).start()
    broker = DeafBroker(cluster.port)
    request.addfinalizer(cluster.close)
    request.addfinalizer(broker.close)
    cluster.wait_healthy()
    yield cluster, broker


def falls_silent_and_is_heard_again(broker, heard):
    """`heard` says how many messages have come until now."""
    wait_for(lambda: heard() > 5, what="the feed is heard")
    silent = broker.silence()
    assert silent, "the feed comes through here"
    before = heard()
    wait_for(lambda: broker.feeds > silent, 15, "it subscribes anew")
    wait_for(lambda: heard() > before + 20, 5, "the feed is heard again")


class Lines:
    """Lines of a program, counted in a thread."""

    def __init__(self, process):
        self.n = 0
        threading.Thread(target=self._run, args=(process,), daemon=True).start()

    def _run(self, process):
        for line in process.stdout:
            assert json.loads(line)
            self.n += 1


def test_monitor(parts):
    cluster, broker = parts
    lines = Lines(cluster.start_conclave("--broker", broker.address, "monitor", "--json"))
    falls_silent_and_is_heard_again(broker, lambda: lines.n)


def test_web(parts):
    cluster, broker = parts
    cluster.environment, kept = lambda **more: dict(kept(**more), CONCLAVE_BROKER=broker.address), cluster.environment
    try:
        web = Web(cluster)
    finally:
        cluster.environment = kept
    stream = Stream(web)
    falls_silent_and_is_heard_again(broker, lambda: sum(kind == "nodes" for kind, _, _ in list(stream.messages)))
    stream.close()


def test_python(parts):
    _, broker = parts
    heard = []
    with conclave.Cluster.connect(broker.address, insecure=True) as client, client.feed() as feed:
        def read():
            try:
                for message in feed:
                    heard.append(message)
            except conclave.Usage:
                pass  # it is closed
        reader = threading.Thread(target=read)
        reader.start()
        falls_silent_and_is_heard_again(broker, lambda: len(heard))
        feed.close()
        reader.join(5)
        assert not reader.is_alive()
