#!/usr/bin/env bash
# The compose file, for real: run.sh [BUILD_DIR]
# Builds the image, brings the cluster up, submits, tails the feed, kills the coordinator's container,
# submits again and takes everything down, with each compose that this machine has.
#
# Needs root where there is no docker engine: the distribution's is then installed and started, on a
# data folder of its own that goes when the test ends. Needs no registry: where debian:12-slim is
# neither here nor to be pulled, debootstrap makes a base. From the environment:
#   CONCLAVE_BASE   a base image to build on instead
#   COMPOSE         the one compose to test, such as "docker compose" or "docker-compose"
set -euo pipefail
cd "$(dirname "$0")/../.."

# A shell does not heed a signal while a command runs in its foreground: ended in the middle of a build, it would leave
# the engine behind. So the test runs in the background, in a process group of its own; this shell only waits, and
# passes a signal on to all of the group but the engine, which has a session of its own.
if [ -z "${COMPOSE_TEST_GROUP:-}" ]; then
    export COMPOSE_TEST_GROUP=1
    set -m
    bash tests/compose/run.sh "$@" </dev/null &
    test_pid=$!
    trap 'kill -TERM -- "-$test_pid" 2>/dev/null || true' INT TERM HUP
    status=0
    while :; do
        wait "$test_pid" && status=0 || status=$?
        kill -0 "$test_pid" 2>/dev/null || exit $status # else a signal has ended the waiting, not the test
    done
fi

results=${1:-build/release}/results
file=compose/docker-compose.yml
work=$(mktemp -d /var/tmp/conclave-compose.XXXXXX)
project=conclavetest$$
engine_pid=''
made_images=''
compose=''

# --- How it ends --------------------------------------------------------------------------------

# shellcheck disable=SC2034
suite=compose
# shellcheck source=/dev/null
. tests/tools/checks.sh

cluster() { $compose -p "$project" -f "$file" "$@"; }
down() { [ -z "$compose" ] || cluster down -v --remove-orphans -t 5 >>"$work/log" 2>&1 || true; }

finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP # a second one must not cut this short
    set +e
    if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ]; then
        [ -z "$compose" ] || cluster ps 2>/dev/null
        [ -z "$compose" ] || cluster logs --tail=15 2>/dev/null
        tail -n 30 "$work/log" 2>/dev/null
        [ -z "$engine_pid" ] || tail -n 5 "$work/dockerd.log"
    fi
    down
    # shellcheck disable=SC2086
    [ -z "$made_images" ] || docker rmi -f $made_images >/dev/null 2>&1
    docker image prune -f --filter label=conclave.stage >/dev/null 2>&1
    [ -z "$engine_pid" ] || stop_engine
    rm -rf "$work"
    [ "$status" -eq 0 ] || [ "$failed" -ne 0 ] || failed=1
    mkdir -p "$results"
    echo "$passed $failed" >"$results/compose"
    echo "compose: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
trap finish EXIT
trap 'exit 143' INT TERM HUP

# --- The engine and the base image --------------------------------------------------------------

start_engine() {
    docker info >/dev/null 2>&1 && return
    [ "$(id -u)" -eq 0 ] || die "no docker engine runs, and only root may start one"
    say "starting a docker engine"
    export DOCKER_HOST=unix://$work/docker.sock
    setsid dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" \
        --pidfile "$work/pid" --bridge none >"$work/dockerd.log" 2>&1 &
    engine_pid=$!
    until_true 60 engine_answers || die "the docker engine does not start"
}
engine_answers() {
    kill -0 "$engine_pid" 2>/dev/null || die "the docker engine has ended"
    docker info >/dev/null 2>&1
}
stop_engine() {
    kill "$engine_pid" 2>/dev/null
    until_true 30 engine_is_gone || kill -9 "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
    awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount 2>/dev/null
}
engine_is_gone() { ! kill -0 "$engine_pid" 2>/dev/null; }

choose_base() {
    [ -z "${CONCLAVE_BASE:-}" ] || return 0
    if docker image inspect debian:12-slim >/dev/null 2>&1; then return; fi
    if timeout --foreground 20 docker pull -q debian:12-slim >/dev/null 2>&1; then
        made_images="$made_images debian:12-slim"
        return
    fi
    say "no registry: making a base image with debootstrap"
    export CONCLAVE_BASE=conclave-test-base:$$
    docker import - "$CONCLAVE_BASE" <"$(sh tests/tools/base.sh)" >/dev/null || die "debootstrap failed"
    made_images="$made_images $CONCLAVE_BASE"
}

# --- The scenario -------------------------------------------------------------------------------

services="broker node1 node2 node3 node4 node5 node6"
container() { cluster ps -q "$1" 2>/dev/null; }
health() { docker inspect -f '{{.State.Health.Status}}' "$(container "$1")" 2>/dev/null; }
all_healthy() {
    local s
    for s in $services; do [ "$(health "$s")" = healthy ] || return 1; done
}
# checked SERVICE TIME: a health check of its container that began after TIME found it well
checked() {
    local began code good=1
    while read -r began code; do
        if [ "$code" = 0 ] && [ "$(date -d "$began" +%s)" -gt "$2" ]; then good=0; fi
    done < <(docker inspect -f '{{range .State.Health.Log}}{{json .Start}} {{.ExitCode}}{{println}}{{end}}' \
        "$(container "$1")" 2>/dev/null | tr -d '"' | grep ' ')
    return $good
}
submit() { cluster run --rm -T submit factorial 10 2>>"$work/log" </dev/null; }
coordinator() {
    cluster exec -T broker conclave status --json --access /etc/conclave/check.json 2>>"$work/log" </dev/null |
        sed -n 's/.*"coordinator": *\([0-9][0-9]*\).*/\1/p'
}

scenario() {
    compose=$1
    say "with $compose ($($compose version --short 2>/dev/null))"
    cluster build >>"$work/log" 2>&1 || die "the image does not build"
    ok "the image builds"
    cluster up -d >>"$work/log" 2>&1 || die "up -d failed"
    until_true 90 all_healthy || die "not everything is healthy after 90 s"
    ok "a broker and six nodes are healthy"
    is "$(cluster exec -T node1 id -un </dev/null)" conclave "a node does not run as root"
    is "$(submit)" "10!=3628800" "submit factorial 10"
    is "$(cluster exec -T node1 sh -c 'cat /etc/conclave/*.json' </dev/null | grep -c '"secret"')" 2 \
        "a node has its own key and that of its health check, and no other"
    is "$(cluster run --rm -T monitor --count 20 2>>"$work/log" </dev/null | wc -l)" 20 "monitor --count 20"

    local old s since
    old=$(coordinator)
    [ -n "$old" ] || die "status names no coordinator"
    docker kill "$(container "node$old")" >/dev/null
    is "$(submit)" "10!=3628800" "submit factorial 10 after the coordinator's container was killed"
    if [ "$(coordinator)" != "$old" ]; then ok "another node coordinates"; else bad "node $old still coordinates"; fi
    cluster exec -T broker conclave check --access /etc/conclave/check.json </dev/null >>"$work/log" 2>&1 && s=0 || s=$?
    is "$s" 3 "conclave check tells that a node is down"
    since=$(date +%s)
    for s in $services; do
        [ "$s" != "node$old" ] || continue
        if until_true 30 checked "$s" "$since" && [ "$(health "$s")" = healthy ]; then
            ok "$s stays healthy"
        else
            bad "$s: $(health "$s") while node $old is down"
        fi
    done
    cluster start "node$old" >>"$work/log" 2>&1
    until_true 60 all_healthy || die "the killed node is not healthy again after 60 s"
    ok "the killed node is back, and healthy"
    cluster exec -T broker conclave check --access /etc/conclave/check.json </dev/null >>"$work/log" 2>&1 && s=0 || s=$?
    is "$s" 0 "conclave check tells that all is well"

    down
    is "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" "" "down leaves no container"
    is "$(docker volume ls -q --filter "label=com.docker.compose.project=$project")" "" "down -v leaves no volume"
    compose=''
}

sh tests/tools/deps.sh compose
start_engine
choose_base
export CONCLAVE_IMAGE=conclave-test:$$
export CONCLAVE_BUILD_NETWORK=host
export CONCLAVE_NET=172.31.$((100 + $$ % 100))
made_images="$CONCLAVE_IMAGE $made_images"

if [ -n "${COMPOSE:-}" ]; then
    scenario "$COMPOSE"
else
    if docker compose version >/dev/null 2>&1; then scenario "docker compose"; fi
    if command -v docker-compose >/dev/null; then scenario docker-compose; fi
fi
