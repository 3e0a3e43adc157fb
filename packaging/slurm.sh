#!/bin/bash
# A cluster within the allocation of a Slurm job, for as long as a command needs it:
#   sbatch --nodes=5 packaging/slurm.sh conclave map --files 'data/*.csv' -- ./clean.sh {}
# A Conclave node on each of Slurm's nodes, and a broker on the first. The command finds the cluster by CONCLAVE_ACCESS.
# From the environment: CONCLAVE_PORT (7000), CONCLAVE_SHARED (a directory that all nodes share; the working directory),
# CONCLAVE_LOCAL (one on each node's own disk; /tmp). All data are removed with the job; what the command printed stays.
#SBATCH --ntasks-per-node=1
set -euo pipefail
: "${1:?usage: sbatch --nodes=N slurm.sh COMMAND ARG...}"
port=${CONCLAVE_PORT:-7000}
shared=$(cd "${CONCLAVE_SHARED:-.}" && pwd)/conclave-$SLURM_JOB_ID
export CONCLAVE_STORE=${CONCLAVE_LOCAL:-/tmp}/conclave-$SLURM_JOB_ID
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
count=$(echo "$hosts" | wc -l)
first=$(echo "$hosts" | head -n 1)
unset CONCLAVE_LOCAL CONCLAVE_SHARED # not options of the programs

command='' nodes='' broker=''
finish() {
    # shellcheck disable=SC2086  # those that were started
    kill $command $nodes $broker 2>/dev/null || true
    wait || true
    [ -z "$nodes" ] || srun --ntasks="$count" --ntasks-per-node=1 rm -rf "$CONCLAVE_STORE" || true
    rm -rf "$shared"
}
trap finish EXIT
trap 'exit 143' TERM INT

umask 077
conclave keys init --dir "$shared" --nodes "$count" --broker "tcp://$first:$port" >&2
common=(--port "$port" --nodes "$count" --bind 0.0.0.0 --peers "$(echo "$hosts" | paste -sd, -)")

conclave-broker "${common[@]}" --access "$shared/keys/broker.json" 2>"$shared/broker.log" &
broker=$!
# shellcheck disable=SC2016  # for the shell of each task
srun --ntasks="$count" --ntasks-per-node=1 bash -c '
    shared=$1 id=$((SLURM_PROCID + 1))
    shift
    exec conclave-node --id $id --dir "$CONCLAVE_STORE/node$id" --access "$shared/keys/node$id.json" "$@" 2>"$shared/node$id.log"
' node "$shared" "${common[@]}" &
nodes=$!

export CONCLAVE_ACCESS=$shared/access.json
end=$((SECONDS + 60))
until conclave check --quorum >&2; do
    [ $SECONDS -lt $end ] || { tail -n 5 "$shared"/*.log >&2; exit 3; }
    sleep 1
done
# Beside us: a signal, such as of scancel or of the time limit, is acted on at once, and does not wait for its end.
"$@" <&0 &
command=$!
wait "$command"
