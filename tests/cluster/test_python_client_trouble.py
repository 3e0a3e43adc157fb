"""The Python client where something goes wrong around it: outcomes that misbehave when they are unpickled, forks, programs that
close nothing, key files and brokers that are none, asyncio that is cancelled, threads that cannot be started."""
import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time

import pytest

import python_calls as calls
from harness import ROOT, clean_environment, wait_for
from lying import WRONG, start_liar  # noqa: F401  pylint: disable=unused-import

sys.path.insert(0, str(ROOT / "clients/python/src"))
import conclave  # noqa: E402
import conclave.aio  # noqa: E402

CLUSTER = {"nodes": 3, "slots": 4}


@pytest.fixture(scope="module", name="way")
def way_to_the_cluster(cluster):
    cluster.wait_healthy()
    return {"brokers": cluster.broker, "access": str(cluster.locks.admin), "timeout": 30}


@pytest.fixture(scope="module", name="client")
def open_client(way):
    with conclave.Cluster.connect(**way) as client:
        yield client


# --- outcomes ---

@pytest.mark.parametrize("what, raised", [("exits", SystemExit), ("interrupts", KeyboardInterrupt), ("stubborn", calls.Stubborn),
                                          ("no_exception", RuntimeError)])
def test_an_outcome_that_misbehaves_ends_its_own_call_alone(client, what, raised):
    """The future of such a call never ended, and what came with it in one batch failed."""
    with conclave.Executor(client) as executor:
        strange, plain = executor.submit(calls.strange_outcome, what), executor.submit(calls.square, 7)
        assert isinstance(strange.exception(30), raised)
        assert plain.result(30) == 49


@pytest.mark.parametrize("what", ["speechless", "long"])
def test_what_cannot_be_pickled_is_told_in_a_line(client, what):
    with conclave.Executor(client) as executor:
        error = executor.submit(calls.unpicklable, what).exception(30)
    assert isinstance(error, RuntimeError) and "cannot be pickled" in str(error) and len(str(error)) < 400


# --- processes and threads ---

FORKED = """import os, sys
sys.path.insert(0, {source!r})
import conclave
way = {way!r}
cluster = conclave.Cluster.connect(**way)
executor = conclave.Executor(cluster)
assert cluster.status()["coordinator"]
if os.fork() == 0:
    for use in (cluster.status, lambda: executor.submit(abs, -1).result(20)):
        try:
            use()
        except conclave.Usage as error:
            assert "fork" in str(error)
        else:
            raise SystemExit("it was not refused")
    cluster.close()
    with conclave.Cluster.connect(**way) as own:
        assert own.status()["coordinator"]
    raise SystemExit(0)
code = os.waitstatus_to_exitcode(os.wait()[1])
assert cluster.status()["coordinator"] and executor.submit(abs, -2).result(20) == 2
raise SystemExit(code)
"""


def test_a_forked_process_is_told_to_connect_for_itself(way):
    """It waited for a thread that the other process has."""
    done = subprocess.run([sys.executable, "-c", FORKED.format(source=str(ROOT / "clients/python/src"), way=way)], timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def kept():
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def test_who_closes_nothing_keeps_nothing(way, monkeypatch):
    def use():
        cluster = conclave.Cluster.connect(**way)
        assert cluster.status()["coordinator"]

    def execute():
        executor = conclave.Executor()
        future = executor.submit(calls.square, 3)
        executor.shutdown(wait=False)
        assert future.result(30) == 9
    monkeypatch.setenv("CONCLAVE_BROKER", way["brokers"])
    monkeypatch.setenv("CONCLAVE_ACCESS", way["access"])
    use()
    before = kept()
    for one in (use, use, use, execute, execute):
        one()
    wait_for(lambda: kept() <= before, what="no descriptor and no thread is left")


def test_calls_end_although_no_second_thread_can_be_started(client, monkeypatch):
    """As while an interpreter ends (3.12), or when a process has as many as it may."""
    start, started = threading.Thread.start, []

    def refuse(thread):
        if thread.name == "conclave-batch":
            started.append(thread)
            if len(started) != 2:
                raise RuntimeError("can't start new thread")
        start(thread)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    executor = conclave.Executor(client, max_workers=2)
    with pytest.raises(RuntimeError, match="new thread"):
        executor.submit(calls.square, 1)
    futures = [executor.submit(calls.square, n) for n in range(7)]
    assert [future.result(30) for future in futures] == [n * n for n in range(7)] and len(started) > 2
    executor.shutdown()


def test_thousands_of_futures_are_submitted_and_cancelled_at_once(client):
    began = time.monotonic()
    executor = conclave.Executor(client, max_workers=2)
    futures = [executor.submit(calls.square, n) for n in range(10_000)]
    executor.shutdown(wait=True, cancel_futures=True)
    assert sum(future.cancelled() for future in futures) >= 9_000 and all(future.done() for future in futures)
    assert time.monotonic() - began < 30


GONE = """import sys, conclave, python_calls as calls
executor = conclave.Executor(conclave.Cluster.connect(timeout=2))
future = executor.submit(calls.nap, 60)
future.add_done_callback(lambda it: print(type(it.exception()).__name__, it.exception()))
while not executor._cluster.jobs("running"):
    pass
print("runs", flush=True)
sys.stdin.read()
"""


def test_a_program_ends_although_the_cluster_is_gone_for_good(make_cluster):
    """Its last call was waited for without an end, by the thread that an interpreter joins."""
    cluster = make_cluster().start()
    cluster.wait_healthy()
    env = clean_environment(CONCLAVE_BROKER=cluster.broker, CONCLAVE_ACCESS=str(cluster.locks.admin),
                            PYTHONPATH=f"{ROOT / 'clients/python/src'}:{ROOT / 'tests/cluster'}")
    with subprocess.Popen([sys.executable, "-B", "-c", GONE], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "runs\n", process.stderr.read()
            cluster.close()
            out, err = process.communicate(timeout=20)  # which closes its input: it comes to its end
        finally:
            process.kill()
    assert out.startswith("Unreachable the cluster has not answered for 2 s") and not err and process.returncode == 0, out + err


# --- what is no cluster ---

@pytest.mark.parametrize("host", ["no such host", "a b", "*", "\u00e9", "\0", ";", "127.0.0.1:\u00b2", "eth0;127.0.0.1"])
def test_what_is_no_address_is_refused_at_once(host):
    with pytest.raises(conclave.Usage, match="is not an address"):
        conclave.Cluster.connect(f"{host}:9", insecure=True)


@pytest.mark.parametrize("change", [{"secret": "x"}, {"secret": "\u00e9" * 40}, {"public": 3}, {"brokers": 3}, {"brokers": [3]}, {"role": []},
                                    {"signing_secret": "zz"}, {"signing_secret": 5}, {"cluster": None}], ids=str)
def test_a_key_file_that_is_none_is_refused_at_once(way, tmp_path, change):
    file = tmp_path / "key.json"
    with open(way["access"], encoding="ascii") as given:
        file.write_text(json.dumps(json.load(given) | change), encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(conclave.Usage, match="is no key file"):
        conclave.Cluster.connect(way["brokers"], access=str(file))


def test_a_broker_that_lies_is_survived(liar):
    """An answer whose number was a list ended the connection; one without its rows was a KeyError."""
    address, answers = liar
    uses = [lambda c: c.submit("factorial", 10), lambda c: c.job("1-1"), lambda c: c.submit("product", [1, 2]), lambda c: c.jobs(),
            lambda c: c.map("echo", [1]), lambda c: c.progress_get(1), lambda c: c.value_put(b"x"), lambda c: c.snapshots()]
    with conclave.Cluster.connect(address, insecure=True, timeout=3) as client:
        for answer in WRONG:
            answers[:] = [answer]
            for use in uses:
                try:
                    use(client)
                except conclave.ConclaveError:
                    pass
        answers[:] = [{"type": "job_page", "jobs": [{"job": 5}], "more": True, "after": 5}]
        with pytest.raises(conclave.Failed, match="a page of jobs does not fit"):
            client.jobs()
        answers[:] = [{"type": "status", "coordinator": 1}]
        assert client.status()["coordinator"] == 1


# --- asyncio ---

def test_asyncio_is_cancelled_and_all_is_closed_at_once(way):
    async def one_round():
        async with conclave.aio.Cluster.connect(**way) as cluster:
            feed = cluster.feed()

            async def read():
                async for _ in feed:
                    pass
            job = await cluster.map("sleep 30; echo {}", [1])
            tasks = [asyncio.ensure_future(read()), asyncio.ensure_future(job.outputs()), asyncio.ensure_future(job.wait())]
            await cluster.status()
            for task in tasks:
                task.cancel()
            feed.close()  # while a thread reads it
            assert all(isinstance(it, asyncio.CancelledError) for it in await asyncio.gather(*tasks, return_exceptions=True))
            assert (await cluster.status())["coordinator"]
            await job.cancel()
    for _ in range(5):
        asyncio.run(asyncio.wait_for(one_round(), 20))


def test_a_feed_that_is_closed_to_the_key_says_so(cluster, way):
    key = json.loads(cluster.ok("keys", "add", "no-feed", "--role", "submit", "--dir", cluster.dir / "up", "--json"))["file"]
    client = wait_for(lambda: connected(way["brokers"], key), what="the key is known")
    with client, client.feed(timeout=20) as feed, pytest.raises(conclave.KeyRefused):
        next(iter(feed))


def connected(brokers, key):
    client = conclave.Cluster.connect(brokers, access=key)
    try:
        return client if client.status() else None
    except conclave.KeyRefused:
        return None
