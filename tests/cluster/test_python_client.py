"""The Python client (clients/python) on a real cluster: jobs, maps, what nodes keep, the feed, asyncio, a killed coordinator."""
import asyncio
import hashlib
import inspect
import json
import os
import pathlib
import sys

import pytest
import zmq

from harness import ROOT, factorial_digits, wait_for

sys.path.insert(0, str(ROOT / "clients/python/src"))
import conclave  # noqa: E402
import conclave.aio  # noqa: E402

CLUSTER = {"nodes": 3, "slots": 2}


@pytest.fixture(name="client")
def open_client(cluster):
    with conclave.Cluster.connect(cluster.broker, access=str(cluster.locks.admin), timeout=30) as client:
        yield client


def test_a_job_and_its_result(client):
    assert client.submit("factorial 10").result(timeout=20) == "3628800"
    job = client.submit("factorial", 3000, key="python-once")
    assert job.result(timeout=20) == factorial_digits(3000)
    assert client.submit("factorial", 3000, key="python-once").id == job.id
    assert client.job(job.id).status()["state"] == "done"
    assert job.id in [f"{row['job'] >> 40}-{row['job'] & (1 << 40) - 1}" for row in client.jobs()]


def test_lists_of_integers_are_uploaded(client):
    assert client.submit("product", [12, -5, 7]).result(timeout=30) == "-420"
    assert client.submit("product", []).result(timeout=30) == "1"
    assert client.submit("product", range(1, 30)).result(timeout=30) == factorial_digits(29)
    many = [-3 ** n for n in range(1, 300)]
    assert int(client.submit("product", many).result(timeout=60)) == -3 ** (299 * 150)
    rows = client.submit("batch-gcd", [15, 21, 22]).result(timeout=30)
    assert rows.split("\n")[0].split("\t") == ["1", "2", "3"], rows
    rows = client.submit("batch-gcd", [15, 22], (11 * 13, 17)).result(timeout=30)
    assert [row.split("\t")[0] for row in rows.split()[::3]] == ["2"] and rows.split()[-1] == "b", rows
    for arguments in (("factorial", [1]), ("product", [1], [2]), ("batch-gcd", [0]), ("product", ["x"]), ("product", [1], "x")):
        with pytest.raises(conclave.Usage):
            client.submit(*arguments)


def test_errors_have_the_names_of_the_exit_codes(client, tmp_path, monkeypatch):
    with pytest.raises(conclave.Usage) as caught:
        client.submit("factorial", -3)
    assert caught.value.exit_code == 2
    with pytest.raises(conclave.NotFound):
        client.job("99-99")
    with pytest.raises(conclave.NotFound):
        client.kv_get("nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(conclave.Usage, match="no cluster is known here"):
        conclave.connect()
    with conclave.connect("127.0.0.1:1", insecure=True) as nobody, pytest.raises(conclave.Unreachable):
        nobody.status()


def test_a_key_that_a_broker_does_not_know_is_refused(cluster, tmp_path):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    mine = json.loads(pathlib.Path(cluster.locks.admin).read_text(encoding="ascii")) | {"public": public, "secret": secret}
    stranger = tmp_path / "stranger.json"
    stranger.write_text(json.dumps(mine), encoding="ascii")
    with pytest.raises(conclave.Usage, match="can be read by others"):
        conclave.connect(cluster.broker, access=str(stranger))
    stranger.chmod(0o600)
    with conclave.connect(cluster.broker, access=str(stranger)) as client, pytest.raises(conclave.KeyRefused):
        client.status()


def test_the_cluster_is_found_by_the_environment_and_by_the_directory(cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("CONCLAVE_BROKER", cluster.broker)
    monkeypatch.setenv("CONCLAVE_ACCESS", str(cluster.locks.admin))
    with conclave.connect() as client:
        assert client.status()["coordinator"]
    monkeypatch.delenv("CONCLAVE_ACCESS")
    below = tmp_path / "below"
    (tmp_path / ".conclave").mkdir(mode=0o700)
    below.mkdir()
    (tmp_path / ".conclave/access.json").write_bytes(pathlib.Path(cluster.locks.admin).read_bytes())
    os.chmod(tmp_path / ".conclave/access.json", 0o600)
    monkeypatch.chdir(below)
    with conclave.connect() as client:
        assert client.status()["coordinator"]
    with conclave.connect(dir=str(tmp_path / ".conclave")) as client:
        assert client.status()["coordinator"]


def test_a_command_over_inputs(client):
    job = client.map(["printf", "%s!", "{}"], ["a", "b c", 7])
    assert job.outputs(timeout=20) == [b"a!", b"b c!", b"7!"]
    assert [task.task for task in job] == [1, 2, 3]
    shell = client.map("printf '%s' {} | wc -c; exit $(({} > 2))", [1, 2, 3], env={"NAME": "x"})
    states = {task.task: (task.state, task.exit) for task in shell.as_completed(timeout=20)}
    assert states == {1: ("done", 0), 2: ("done", 0), 3: ("failed", 1)}
    with pytest.raises(conclave.TaskFailed) as caught:
        shell.outputs()
    assert caught.value.task.task == 3 and caught.value.exit_code == 1


def test_a_retry_has_what_it_did_not_repeat_from_the_job_before(cluster, client, tmp_path):
    """Those tasks were done, and their outputs empty."""
    mark = tmp_path / "mark"
    first = client.map(f"echo out {{}}; [ {{}} != b ] || [ -e {mark} ]", "abc")
    assert [task.state for task in first.tasks(timeout=20)] == ["done", "failed", "done"]
    second = client.job(cluster.ok("job", "retry", first.id).strip())
    assert [task.state for task in second.tasks(timeout=20)] == ["done", "failed", "done"]
    mark.touch()
    third = client.job(cluster.ok("job", "retry", second.id).strip())
    assert third.outputs(timeout=20) == [b"out a\n", b"out b\n", b"out c\n"] and third.tasks()[0] == first.tasks()[0]
    first.forget()
    assert [(task.state, task.stdout) for task in third.tasks(timeout=20)] == [("done", b""), ("done", b"out b\n"), ("done", b"")]
    with pytest.raises(conclave.NotFound, match="the output of task 1 was in"):
        third.outputs()


def test_tasks_are_tried_again(client, tmp_path):
    mark = tmp_path / "mark"
    job = client.map(f"echo {{}} >> {tmp_path}/{{}}; [ {{}} = a ] || [ -e {mark} ]", "abcd", slots=2)
    with pytest.raises(conclave.TaskFailed):
        job.outputs(timeout=20)
    for wrong in ([5], [0], []):
        with pytest.raises(conclave.Usage):
            job.retry(wrong)
    mark.touch()
    some = job.retry([4, 1, 2], key="again")
    assert [task.state for task in some.tasks(timeout=20)] == ["done", "done", "failed", "done"]
    assert job.retry([4, 1, 2], key="again").id == some.id and some.status()["parent"] == job.number
    rest = some.retry(time_limit=5)
    assert rest.outputs(timeout=20) == [b""] * 4
    assert [len((tmp_path / name).read_text().split()) for name in "abcd"] == [1, 2, 2, 2]
    with pytest.raises(conclave.Usage, match="are done"):
        rest.retry()
    slow = client.map("sleep {}", [60], time_limit=0.2, max_output=1 << 20)
    assert slow.tasks(timeout=20)[0].limit
    again = slow.retry(time_limit=0.4)
    assert again.tasks(timeout=20)[0].limit and 0.4 <= again.tasks()[0].wall < 30


def test_outputs_that_are_long_come_back_whole(client):
    job = client.map("head -c {} /dev/zero", [70000, 9 << 20], max_output=16 << 20)
    assert [len(out) for out in job.outputs(timeout=20)] == [70000, 9 << 20]


def test_a_running_map_can_be_cancelled(client):
    job = client.map(["sleep", "{}"], [60] * 20)
    assert job.cancel() and {task.state for task in job.tasks(timeout=20)} == {"cancelled"}
    with pytest.raises(conclave.Cancelled):
        client.submit("factorial", 200000, key="python-cancelled").cancel() or pytest.skip("it was done already")
        client.submit("factorial", 200000, key="python-cancelled").result(timeout=20)


def test_what_nodes_keep(client, cluster, tmp_path):
    client.kv_put("colour", "grün", node=2)
    assert client.kv_get("colour", node=2) == "grün"
    client.kv_put("cold", "yes", node=2)
    assert client.kv_list("col", node=2) == {"cold": "yes", "colour": "grün"} and client.kv_list("col", node=3) == {}
    client.kv_del("cold", node=2)
    assert client.kv_list(node=2) == {"colour": "grün"}
    with pytest.raises(conclave.NotFound):
        client.kv_del("cold", node=2)
    client.progress_set(3, 10 ** 12)
    snap = client.progress_snap()
    assert client.progress_get(3, snap) >= 10 ** 12
    with pytest.raises(conclave.NotFound):
        client.progress_get(3, snap + 1000)
    taken = client.snapshot()
    assert taken["complete"] and taken["counter"] in [head["counter"] for head in client.snapshots(taken["initiator"])]
    kept = tmp_path / "kept"
    kept.write_bytes(client.snapshot_bytes(taken))
    assert kept.stat().st_size == client.snapshots(taken["initiator"])[-1]["bytes"]
    assert json.loads(cluster.ok("snapshot", "verify", "--json", kept))["is_consistent"]
    with pytest.raises(conclave.NotFound):
        client.snapshot_bytes({**taken, "counter": taken["counter"] + 1000})
    data = os.urandom(700000)
    client.value_put(data, "random" * 30)
    digest = hashlib.sha256(data)
    assert client.value_get(digest.digest()) == data


def test_stored_values_by_their_names(client):
    data = b"stored by its name"
    number = client.value_put(data, "ü" * 100)
    digits = hashlib.sha256(data).hexdigest()
    row = [row for row in client.values() if row["value"] == number][0]
    assert row["name"] == "ü" * 64 and row["len"] == len(data) and row["whole"]
    id_ = f"{number >> 40}-{number & (1 << 40) - 1}"
    for name in (f"value:{digits[:16]}", digits[:8].upper(), id_, bytes.fromhex(digits)):
        assert client.value_get(name) == data
    client.value_drop(f"value:{digits}")
    for name in (id_, digits):
        with pytest.raises(conclave.NotFound):
            client.value_get(name)
    with pytest.raises(conclave.Usage):
        client.value_get("value:xyzw")
    moduli = client.value_put_integers([15, 22])
    known = client.value_put_integers((11 * 13, 17), "known")
    names = {row["value"]: "value:" + row["sha256"].hex()[:16] for row in client.values()}
    rows = client.submit("batch-gcd", names[moduli], names[known]).result(timeout=30)
    assert rows == client.submit("batch-gcd", [15, 22], names[known]).result(timeout=30) == "2\tk1\tb\n"
    with pytest.raises(conclave.Failed):
        client.value_drop(names[known])
    client.value_put(b"15\n")
    for arguments in (("product", "value:" + hashlib.sha256(b"15\n").hexdigest()), ("factorial", names[known])):
        with pytest.raises(conclave.Usage):
            client.submit(*arguments)


def test_lists_and_quotas(client):
    jobs = [client.submit("factorial", n) for n in (11, 12)]
    assert [job.result(timeout=20) for job in jobs] == [factorial_digits(11), factorial_digits(12)]
    assert client.jobs(newest=1)[0]["job"] == jobs[1].number
    assert [row["spec"] for row in client.jobs("done", 2)] == ["11", "12"] and not client.jobs("queued")
    assert jobs[0].explain()[0] == f"job {jobs[0].id}, factorial 11, is done"
    operations = jobs[0].operations()
    assert [row["op"] for row in operations] == list(range(1, jobs[0].status()["total"] + 1)) and operations[0]["node"]
    quota = client.quota()
    mine = [key for key in quota["keys"] if key["name"] == "admin"][0]
    assert not quota["bounded"] and mine["kept_jobs"] >= 2 and mine["open_jobs"] == 0
    jobs[0].forget()
    with pytest.raises(conclave.NotFound):
        jobs[0].explain()


@pytest.mark.parametrize("page", [{"jobs": []}, {"jobs": [{"job": 5}]}, {"jobs": [{"job": 5}], "after": 4}])
def test_a_list_that_leads_nowhere_ends_with_an_error(page):
    work = conclave.steps.pages({"type": "job_list"}, "jobs", None)
    with pytest.raises(conclave.Failed, match="a page of jobs does not fit"):
        next(work)
        for _ in range(3):
            work.send(conclave.connection.Reply({"more": True, **page}, []))


def test_accounts(client):
    assert (client.bank_deposit("alice", 100, node=2), client.bank_deposit("bob", 5, node=3)) == (100, 5)
    assert [client.bank_transfer("alice", "bob", 30, node=2, to_node=3, key="python-pays") for _ in range(2)] == [70, 70]
    assert client.bank_withdraw("alice", 20, node=2) == 50 == client.bank_balance("alice", node=2)
    wait_for(lambda: client.bank_list(node=3).get("bob") == 35, 20, "the money arrives once")
    for _ in range(3):
        client.bank_deposit("carol", 1, node=2, key="python-once")
    assert client.bank_list(node=2) == {"alice": 50, "carol": 1}
    with pytest.raises(conclave.Failed):
        client.bank_withdraw("alice", 51, node=2)
    with pytest.raises(conclave.Usage):
        client.bank_deposit("no name", 1)


def test_the_feed_is_an_iterator(client):
    with client.feed(timeout=5) as feed:
        heard = set()
        for message in feed:
            heard.add(message["node"])
            if heard == {1, 2, 3}:
                break


def test_asyncio(cluster):
    async def work():
        async with conclave.aio.Cluster.connect(cluster.broker, access=str(cluster.locks.admin)) as client:
            jobs = [await client.submit("factorial", n) for n in range(20, 40)]
            results = await asyncio.gather(*jobs)
            tasks = [task.stdout async for task in await client.map(["echo", "{}"], range(5))]
            await client.kv_put("shape", "round", node=3)
            assert await client.kv_list(node=3) == {"shape": "round"}
            await client.kv_del("shape", node=3)
            assert await client.kv_list(node=3) == {}
            async for message in client.feed(timeout=5):
                return results, tasks, message["type"]
    results, tasks, kind = asyncio.run(work())
    assert results == [factorial_digits(n) for n in range(20, 40)]
    assert tasks == [b"%d\n" % n for n in range(5)] and kind in ("heartbeat", "event")


def public(kind):
    """Its calls, and the parameters of each."""
    return {name: [(p.name, p.kind, p.default) for p in inspect.signature(call).parameters.values()]
            for name, call in inspect.getmembers(kind, callable) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Cluster", "Job", "MapJob"])
def test_asyncio_has_every_call(name):
    here, there = public(getattr(conclave, name)), public(getattr(conclave.aio, name))
    assert here == there and {"status", "cancel" if "Job" in name else "submit"} <= set(here)


def test_asyncio_with_every_call(cluster):
    async def jobs_of(client):
        job = await client.submit("factorial", 13)
        assert (await job.result_bytes(timeout=20)).decode() == await job == factorial_digits(13) and await job.done()
        same = await client.job(job.id)
        assert type(same) is conclave.aio.Job and repr(same) == f"<Job {job.id}>"
        assert [row["job"] for row in await client.jobs("done", newest=1)] == [job.number] and not await client.jobs("queued")
        assert (await job.explain())[0] == f"job {job.id}, factorial 13, is done"
        assert [row["op"] for row in await job.operations()] == list(range(1, (await job.status())["total"] + 1))
        await job.forget()
        with pytest.raises(conclave.NotFound):
            await client.job(job.id)
        made = await client.map("exit $(({} > 2))", [1, 2, 3])
        tasks = await (await client.job(made.id)).tasks(timeout=20)
        assert [(task.task, task.state) for task in tasks] == [(1, "done"), (2, "done"), (3, "failed")]
        assert [task.state for task in await (await made.retry()).tasks(timeout=20)] == ["done", "done", "failed"]

    async def what_nodes_keep(client):
        await client.progress_set(2, 10 ** 13)
        snap = await client.progress_snap()
        assert await client.progress_get(2, snap) >= 10 ** 13 <= await client.progress_get(2)
        with pytest.raises(conclave.NotFound):
            await client.progress_get(2, snap + 1000)
        taken = await client.snapshot(3)
        assert taken["complete"] and taken["counter"] in [head["counter"] for head in await client.snapshots(3)]
        assert await client.snapshot_bytes(taken)
        assert await client.bank_deposit("aio-a", 70, node=2) == 70 and await client.bank_withdraw("aio-a", 20, node=2) == 50
        assert await client.bank_deposit("aio-b", 1, node=3) == 1 and await client.bank_transfer("aio-a", "aio-b", 9, 2, 3) == 41
        assert await client.bank_balance("aio-a", node=2) == 41 == (await client.bank_list(node=2))["aio-a"]

    async def stored_values(client):
        number = await client.value_put(b"of asyncio", "a name")
        row, = [row for row in await client.values() if row["value"] == number]
        digits = hashlib.sha256(b"of asyncio").hexdigest()
        assert row["name"] == "a name" and row["sha256"].hex() == digits and await client.value_get(digits) == b"of asyncio"
        await client.value_drop(digits)
        with pytest.raises(conclave.NotFound):
            await client.value_get(digits)
        number = await client.value_put_integers(range(1, 8))
        row, = [row for row in await client.values() if row["value"] == number]
        assert await (await client.submit("product", "value:" + row["sha256"].hex())) == factorial_digits(7)

    async def work():
        async with conclave.aio.Cluster.connect(cluster.broker, access=str(cluster.locks.admin), timeout=30) as client:
            await jobs_of(client)
            await asyncio.gather(what_nodes_keep(client), stored_values(client))
            assert "admin" in [key["name"] for key in (await client.quota())["keys"]]
    asyncio.run(work())


def test_jobs_and_maps_survive_the_death_of_the_coordinator(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    with conclave.connect(cluster.broker, access=str(cluster.locks.admin), timeout=30) as client:
        job = client.map("sleep 0.2; echo {}", range(20))
        big = client.submit("factorial", 30000)
        seen = []
        for task in job.as_completed(timeout=60):
            if not seen:
                cluster.kill_coordinator(status)
            seen.append(task)
        assert sorted(task.task for task in seen) == list(range(1, 21))
        assert all(task.stdout == b"%d\n" % (task.task - 1) for task in seen)
        assert big.result(timeout=60) == factorial_digits(30000)
        assert client.status()["coordinator"] != status["coordinator"]
