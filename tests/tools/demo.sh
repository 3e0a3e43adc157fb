#!/usr/bin/env bash
# make demo: six nodes elect a coordinator, compute 10! as four operations, and go again.
# Wants the programs in $CONCLAVE_BIN. Exits 0 only if the answer, and how it was made, are right.
# Nothing is left running and no file is left behind, however it ends.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${CONCLAVE_BIN:-$PWD/build/release/bin}
for name in "${!CONCLAVE_@}"; do unset "$name"; done
export PATH=$bin:$PATH

dir=$(mktemp -d "${TMPDIR:-/tmp}/conclave-demo.XXXXXX")
# Every process of the demonstration inherits this name, and is known by it.
export DEMO_OF_CONCLAVE=$dir

programs_left() {
    local environ
    for environ in /proc/[0-9]*/environ; do
        case $(readlink "${environ%environ}exe" 2>/dev/null) in */conclave | */conclave-*) ;; *) continue ;; esac
        if tr '\0' '\n' <"$environ" 2>/dev/null | grep -qx "DEMO_OF_CONCLAVE=$dir"; then
            environ=${environ#/proc/}
            printf '%s\n' "${environ%/environ}"
        fi
    done
}

finish() {
    local status=$? left
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    if [ $status -ne 0 ]; then
        printf '\nThe demonstration failed. The last lines of the logs:\n' >&2
        find "$dir" -type f -name '*log*' -exec tail -n 5 {} + >&2
    fi
    conclave down --dir "$dir" >/dev/null 2>&1
    # What an interrupted `conclave up` could not hand over to `conclave down`.
    left=$(programs_left)
    # shellcheck disable=SC2086
    [ -z "$left" ] || kill $left 2>/dev/null
    for _ in $(seq 30); do
        [ -n "$(programs_left)" ] || break
        sleep 0.1
    done
    left=$(programs_left)
    # shellcheck disable=SC2086
    [ -z "$left" ] || kill -9 $left 2>/dev/null
    rm -rf "$dir"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$@"; }
show() {
    printf '   %s$ %s%s\n' "$bold" "$*" "$plain"
    "$@" | sed 's/^/     /'
}
wrong() {
    printf 'wrong: %s\n' "$*" >&2
    exit 1
}

# A port P with P, P+1 and P+110 .. P+164 free, below 32768 where the kernel hands out none itself.
free_port() {
    local port used busy
    # The local port is the second field's second half, in hexadecimal.
    used=" $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '{ split($2, a, ":"); print a[2] }' | sort -u | tr '\n' ' ')"
    for _ in $(seq 100); do
        port=$((10000 + RANDOM % 22000))
        busy=''
        for p in $port $((port + 1)) $(seq $((port + 110)) $((port + 164))); do
            case $used in *" $(printf %04X "$p") "*) busy=yes && break ;; esac
        done
        [ -n "$busy" ] || { echo "$port" && return; }
    done
    wrong "no free ports"
}

port=$(free_port)
export CONCLAVE_BROKER=tcp://127.0.0.1:$port

title "1. Six equal nodes and a broker come up. The nodes elect one of themselves coordinator."
show conclave up --nodes 6 --dir "$dir" --port "$port" --detach
title "   Who voted for whom, from the nodes' logs:"
find "$dir" -type f -name '*log*' -exec grep -hE 'vote|elect|coordinat' {} + | sort | head -n 24 | sed 's/^/     /'
title "   The cluster now:"
show conclave status

title "2. A client, which knows the broker's address only, asks for 10!"
printf '   %s$ conclave submit factorial 10%s\n' "$bold" "$plain"
answer=$(conclave submit factorial 10)
printf '     %s\n' "$answer"
[ "$answer" = '10!=3628800' ] || wrong "10! is 3628800"

title "3. How it was made: four operations on at most four values each, none by the coordinator."
id=$(conclave job list --json | grep -oE '"id": *"[0-9]+-[0-9]+"' | grep -oE '[0-9]+-[0-9]+' | head -n 1)
show conclave job show "$id" --ops
trace=$(conclave job show "$id" --ops --json | tr -d ' \n')
for operation in 'R1.*"10","9","8","7"' 'R2.*"6","5","4","3"' 'R3.*"2","1"' 'R4.*"R1","R2","R3"'; do
    grep -q "$operation" <<<"$trace" || wrong "no operation $operation in $trace"
done

title "4. Everything is taken down again."
show conclave down --dir "$dir"
[ -z "$(programs_left)" ] || wrong "still running: $(programs_left)"
printf '\n%s10!=3628800%s, by six nodes that are gone again.\n' "$bold" "$plain"
