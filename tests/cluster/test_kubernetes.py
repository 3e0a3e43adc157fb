"""packaging/kubernetes.yaml: each object is what Kubernetes' own models make of it, they fit each other, and what probes and
containers execute works on a real cluster. What is left for a real Kubernetes: scheduling, volumes, names."""
import pathlib
import subprocess

import pytest

import harness
from harness import OK, wait_for

yaml = pytest.importorskip("yaml", reason="Debian's package python3-yaml is not installed")
FILE = pathlib.Path(__file__).resolve().parents[2] / "packaging/kubernetes.yaml"
OBJECTS = list(yaml.safe_load_all(FILE.read_text(encoding="utf-8")))
CONTAINERS = {one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]
              for one in OBJECTS if one["kind"] in ("StatefulSet", "Deployment")}


def named(kind, name):
    return next(one for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("number", range(len(OBJECTS)), ids=lambda n: OBJECTS[n]["kind"] + str(n))
def test_every_object_is_as_its_model_has_it(number):
    """A field that is missing, misspelt or of another type does not come back."""
    client = pytest.importorskip("kubernetes.client", reason="Debian's package python3-kubernetes is not installed").ApiClient()
    given = OBJECTS[number]
    model = client._ApiClient__deserialize(given, "V1" + given["kind"])  # pylint: disable=protected-access
    assert client.sanitize_for_serialization(model) == given
    broken = given | {"spex": 1}
    model = client._ApiClient__deserialize(broken, "V1" + given["kind"])  # pylint: disable=protected-access
    assert client.sanitize_for_serialization(model) != broken, "this test can fail"


def test_the_objects_fit_each_other():
    pods = {one["spec"]["template"]["metadata"]["labels"]["app"]: one for one in OBJECTS if "template" in one.get("spec", {})}
    for one in pods.values():
        assert one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]
        spec = one["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
        container = spec["containers"][0]
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        for source in container["envFrom"]:
            named("ConfigMap", source["configMapRef"]["name"])
    for service in (one for one in OBJECTS if one["kind"] == "Service"):
        assert service["spec"]["selector"]["app"] in pods
    nodes, settings = named("StatefulSet", "conclave-node"), named("ConfigMap", "conclave")["data"]
    service = named("Service", nodes["spec"]["serviceName"])["metadata"]["name"]
    peers = [f"conclave-node-{n}.{service}" for n in range(nodes["spec"]["replicas"])]
    assert settings["CONCLAVE_PEERS"] == ",".join(peers) and settings["CONCLAVE_NODES"] == str(len(peers))
    broker = named("Service", settings["CONCLAVE_BROKER"].split("//")[1].split(":")[0])
    ports = {port["port"] for port in broker["spec"]["ports"]}
    assert ports == {port["containerPort"] for port in CONTAINERS["conclave-broker"]["ports"]}
    assert settings["CONCLAVE_BROKER"].endswith(":7000") and 7000 in ports


def test_the_probe_of_a_node_says_whether_it_follows(make_cluster, tmp_path):
    """Its command, with the files of a pod in another place."""
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    cluster.ok("keys", "add", "check", "--role", "monitor", "--dir", cluster.dir / "up")
    key = next((cluster.dir / "up").rglob("check.json"))
    (tmp_path / "check.json").write_bytes(key.read_bytes())
    (tmp_path / "check.json").chmod(0o600)
    (tmp_path / "id").write_text("2\n", encoding="ascii")
    probe = CONTAINERS["conclave-node"]["readinessProbe"]
    command = [word.replace("/keys/", f"{tmp_path}/") for word in probe["exec"]["command"]]

    def ready():
        return subprocess.run(command, env=harness.clean_environment(PATH=f"{harness.BIN}:/usr/bin:/bin"), check=False,
                              timeout=probe["timeoutSeconds"], capture_output=True).returncode == OK
    assert wait_for(ready)
    cluster.kill(cluster.nodes[2])
    wait_for(lambda: not ready(), 20)
    cluster.start_node(2)
    wait_for(ready, 20)


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_a_container_executes_lays_its_keys(name, tmp_path):
    """The script of a container up to its program, as pod 1: it gets its own key, closed to others, and keeps a newer list of keys."""
    secret, keys, bin_ = tmp_path / "secret", tmp_path / "keys", tmp_path / "bin"
    for directory in (secret, keys, bin_):
        directory.mkdir()
    for file in ("node1", "node2", "node3", "broker", "check", "allowed"):
        (secret / f"{file}.json").write_text(file, encoding="ascii")
    for program in ("conclave-node", "conclave-broker"):
        (bin_ / program).write_text('#!/bin/sh\necho "$0" "$@"\n', encoding="ascii")
        (bin_ / program).chmod(0o755)
    script = CONTAINERS[name]["args"][0].replace("/secret/", f"{secret}/").replace("/keys/", f"{keys}/")

    def start():
        done = subprocess.run([*CONTAINERS[name]["command"], script], check=True, capture_output=True, text=True,
                              env={"PATH": f"{bin_}:/usr/bin:/bin", "HOSTNAME": "conclave-node-1"})
        return done.stdout.split()[1:]
    words = start()
    access = keys / "access.json"
    assert words[-2:] == ["--access", str(access)] and access.stat().st_mode & 0o777 == 0o600
    assert access.read_text(encoding="ascii") == ("node2" if name == "conclave-node" else "broker")
    if name == "conclave-node":
        assert words[:2] == ["--id", "2"] and (keys / "id").read_text(encoding="ascii") == "2\n"
    (keys / "allowed.json").write_text("newer", encoding="ascii")
    start()
    assert (keys / "allowed.json").read_text(encoding="ascii") == "newer"
