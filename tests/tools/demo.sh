#!/usr/bin/env bash
# make demo, in two acts: six nodes elect a coordinator and compute 10! as four operations; then their
# coordinator is killed in the middle of a larger job, and the job ends right. Then they go again.
# Wants the programs in $CONCLAVE_BIN. Exits 0 only if the answers, and how they were made, are right.
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
export CONCLAVE_BROKER=tcp://127.0.0.1:$port CONCLAVE_ACCESS=$dir/access.json

# from_logs PATTERN: the lines of all logs that match, in the order of time.
from_logs() { cat "$dir"/node*.log | grep -E "$1" | sort -s -k1,1; }
indent() { sed "s/^./     &/"; }

title "1. Six equal nodes and a broker come up. The nodes elect one of themselves coordinator."
note "(Workers hold every result back for 50 ms, so that there is something to see.)"
show conclave up --nodes 6 --dir "$dir" --port "$port" --detach --delay 50ms --log-level debug
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

title "2. A client, which knows the broker's address only, submits factorial 10"
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


# --- the second act ---

# until_true SECONDS WHAT COMMAND...: waits for a condition.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || wrong "not within the time: $what"
        sleep 0.02
    done
}

# field NAME: its value in the JSON on stdin, where it first stands.
field() { tr -d ' \n' | grep -oE "\"$1\":\"?[A-Za-z0-9-]+" | head -n 1 | sed 's/.*[:"]//'; }
job() { conclave job show "$id" --json | field "$1"; }

# Sets coordinator=(NODE TERM PID); fails while nobody serves.
find_coordinator() {
    local status node
    status=$(conclave status --json 2>/dev/null | tr -d ' \n') || return 1
    node=$(field coordinator <<<"$status")
    coordinator=("$node" "$(field term <<<"$status")"
        "$(grep -oE "\"id\":$node,[^}]*" <<<"$status" | field pid)")
}
a_higher_term_is_served() { find_coordinator && [ "${coordinator[1]}" -gt "$term" ]; }
a_third_is_done() {
    local now
    now=$(conclave job show "$id" --json)
    [ "$(field state <<<"$now")" = 'done' ] ||
        [ "$(field 'done' <<<"$now")" -ge $(($(field total <<<"$now") / 3)) ]
}
resumption() { from_logs ": job $id resumes from its checkpoint" | tail -n 1; }

# The operations that the workers' processes say they have executed, behind line $1 of the heartbeats.
executed_since() {
    sed 's/.*"node": *\([0-9]*\).*"incarnation": *"\([0-9a-f]*\)".*"operations": *\([0-9]*\).*/\1-\2 \3/' \
        "$dir/heartbeats" | awk -v mark="$1" '
            NR <= mark { before[$1] = $2 }
            { last[$1] = $2 }
            END { for (life in last) sum += last[life] - before[life]; print sum + 0 }'
}
all_are_counted() { [ "$(executed_since "$mark")" -ge "$(job total)" ]; }

# kill_in_mid_job N: submits N!, kills the coordinator at a third of it, waits for the result.
# Fails when the job ended before the kill.
kill_in_mid_job() {
    printf '   %s$ conclave submit factorial %s --no-wait%s\n' "$bold" "$1" "$plain"
    mark=$(wc -l <"$dir/heartbeats")
    id=$(conclave submit factorial "$1" --no-wait)
    printf '     %s\n' "$id"
    until_true 60 "a third of job $id" a_third_is_done
    until_true 30 "a coordinator" find_coordinator
    killed=${coordinator[0]} term=${coordinator[1]}
    note "" "A third of its $(job total) operations is done. Node $killed coordinates." ""
    printf '   %s$ kill -9 %s%s\n' "$bold" "${coordinator[2]}" "$plain"
    kill -9 "${coordinator[2]}"
    printf '   %s$ conclave job wait %s%s\n' "$bold" "$id" "$plain"
    conclave job wait "$id" --timeout 60s >"$dir/result" || wrong "job $id has no result"
    printf '     %s...\n' "$(cut -c -60 "$dir/result")"
    until_true 30 "another coordinator" a_higher_term_is_served
    until_true 30 "node $killed is back" conclave check >/dev/null 2>&1
    [ -n "$(resumption)" ]
}

title "4. Now the coordinator dies in the middle of a larger job. Somebody tails the feed meanwhile."
conclave monitor --events >"$dir/events.log" 2>&1 &
monitors=$!
conclave monitor --heartbeats --json >"$dir/heartbeats" 2>&1 &
monitors="$monitors $!"
until_true 10 "the feed flows" test -s "$dir/heartbeats"
# N and how the SHA-256 of N! in decimal begins. One is enough, unless it ends before the kill.
for pair in 3000:e759be1f6f76e634 20000:eaae0cdb4ba46ca6 50000:3fb49c6cb27ba78a; do
    n=${pair%:*} hash=${pair#*:}
    ! kill_in_mid_job "$n" || break
done
[ -n "$(resumption)" ] || wrong "job $id did not go on from a checkpoint"
case $(sed 's/.*=//' "$dir/result" | tr -d '\n' | sha256sum) in
    "$hash"*) ;;
    *) wrong "the digits of $n! are others" ;;
esac
[ "$(job 'done')" = "$(job total)" ] || wrong "not all operations of job $id are done"
until_true 10 "the heartbeats tell of all operations" all_are_counted
until_true 10 "the feed tells of the end" grep -q "job $id.* done" "$dir/events.log"
# shellcheck disable=SC2086
kill $monitors
wait || true
title "   What the feed told: the next coordinator, the job going on from its checkpoint, its end."
grep -E ' (elected|job_resumed|job_done) ' "$dir/events.log" | indent
title "   The job:"
show conclave job show "$id"
note "" "The digits are those of $n!: their SHA-256 is $hash..." \
    "The plan has $(job total) operations; the workers' heartbeats count $(executed_since "$mark")." \
    "The difference is what the killed coordinator had not passed on yet: done again."

title "5. Everything is taken down again."
show conclave down --dir "$dir"
[ -z "$(programs_left)" ] || wrong "still running: $(programs_left)"
printf '\n%s10!=3628800%s, and %s! in spite of a killed coordinator, by six nodes that are gone again.\n' \
    "$bold" "$plain" "$n"
