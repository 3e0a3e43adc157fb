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
    if [ $status -eq 130 ] || [ $status -eq 143 ]; then
        printf '\nInterrupted: taking everything down.\n' >&2
    elif [ $status -ne 0 ]; then
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
    "$@" | indent
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

# from_logs PATTERN: the lines of all logs that match, in the order of time.
from_logs() { cat "$dir"/node*.log | grep -E "$1" | sort -s -k1,1; }
indent() { sed "s/^./     &/"; }

title "1. Six equal nodes and a broker come up. The nodes elect one of themselves coordinator."
show conclave up --nodes 6 --dir "$dir" --port "$port" --detach --log-level debug
# The last of them may learn who won just after the first client does.
for _ in $(seq 50); do
    [ "$(from_logs 'is coordinator of term|follows node' | wc -l)" -lt 6 ] || break
    sleep 0.1
done
title "   The election, as the nodes' logs tell it:"
from_logs ': (started|is a candidate|node [0-9]+ is coordinator of term|follows node)' |
    sed 's/started: .*/started/' | indent
title "   Every node's heartbeat, as anybody may tail it (20 a second from each):"
show conclave monitor --heartbeats --count 6
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
title "   The same from the coordinator's log: which worker got which operation, and the answer."
from_logs ': (W[0-9]+ |job |[0-9]+!=)' | indent
for line in 'R1=10\*9\*8\*7' 'R2=6\*5\*4\*3' 'R3=2\*1' 'R4=R1\*R2\*R3'; do
    [ -n "$(from_logs ": W[0-9]+ $line\$")" ] || wrong "the coordinator's log assigns no $line"
done
[ "$(from_logs ': 10!=3628800$' | wc -l)" -eq 1 ] || wrong "the coordinator's log has no 10!=3628800"

title "4. Everything is taken down again."
show conclave down --dir "$dir"
[ -z "$(programs_left)" ] || wrong "still running: $(programs_left)"
printf '\n%s10!=3628800%s, by six nodes that are gone again.\n' "$bold" "$plain"
