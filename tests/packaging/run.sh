#!/usr/bin/env bash
# The Debian packages, for real: run.sh BUILD_DIR
# lintian; then on a bare Debian 12 under its own systemd (systemd-nspawn, a network of its own): installed, the README's tour
# as it stands there, started by the units, used, replaced by a newer version, stopped and started, purged. That wants root, a
# mirror for the dependencies, and a kernel that lets a container start; where it is not to be had, a line says so, and what
# was looked at until then counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

results=${1:-build/release}/results
work=$(mktemp -d /var/tmp/conclave-deb.XXXXXX)
root=$work/root
root_kib=$((2 * 1024 * 1024)) # what is unpacked there is half of that
nspawn=''
init=''
# shellcheck disable=SC2034
suite=deb
# shellcheck source=/dev/null
. tests/tools/checks.sh

# --- The machine --------------------------------------------------------------------------------

here() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
there() { nsenter -t "$init" -a env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

boot() {
    systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe -M "conclave-deb-$$" -D "$root" -b \
        >"$work/console" 2>&1 &
    nspawn=$!
    until_true 30 booted || die "the machine does not start"
}
booted() {
    init=$(pgrep -P "$nspawn" | head -n 1)
    [ -n "$init" ] && case $(there systemctl is-system-running 2>/dev/null) in running | degraded) true ;; *) false ;; esac
}
halt() {
    [ -n "$nspawn" ] || return 0
    [ -z "$init" ] || kill -9 "$init" 2>/dev/null # the init of its namespace: all of it ends
    wait "$nspawn" 2>/dev/null
    nspawn=''
}

finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ]; then
        tail -n 20 "$work/log" 2>/dev/null
        [ -z "$nspawn" ] || there journalctl --no-pager -n 40 -u 'conclave*'
    fi
    halt
    awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount 2>/dev/null
    rm -rf "$work"
    [ "$status" -eq 0 ] || [ "$failed" -ne 0 ] || failed=1
    mkdir -p "$results"
    echo "$passed $failed" >"$results/deb"
    echo "deb: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
trap finish EXIT
trap 'exit 143' INT TERM HUP

# --- The cluster --------------------------------------------------------------------------------

units='conclave-broker conclave-node@1 conclave-node@2 conclave-node@3'
as_conclave() {
    there setpriv --reuid conclave --regid conclave --clear-groups env CONCLAVE_TIMEOUT=30s \
        CONCLAVE_ACCESS=/var/lib/conclave/access.json "$@"
}
conclave() { as_conclave conclave "$@"; }
healthy() { conclave check >>"$work/log" 2>&1; }
active() {
    # shellcheck disable=SC2086
    there systemctl is-active $units | grep -c '^active$' || true
}
# how many of our processes there are
running() { there sh -c 'cat /proc/[0-9]*/comm | grep -c ^conclave' || true; }
# the capabilities of the main process of a unit
capabilities() { there sh -c "sed -n 's/^CapEff:.//p' /proc/\$(systemctl show -P MainPID $1)/status"; }

# The same package with a higher version; hardly compressed, as that takes longer than all else here.
newer() { # DEB OUT
    dpkg-deb -R "$1" "$work/newer"
    sed -i 's/^Version: .*/&+newer/' "$work/newer/DEBIAN/control"
    dpkg-deb -b -Zgzip -z1 --root-owner-group "$work/newer" "$2" >/dev/null
}

check_package() {
    local said
    said=$(lintian --fail-on error,warning "$changes" 2>/dev/null) && said='' || true
    is "$said" "" "lintian has nothing to say"
    for package in build/deb/*.deb; do dpkg-deb -x "$package" "$work/files"; done
    find "$work/files/usr/share/man" -name '*.gz' | while read -r page; do
        man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null
    done >"$work/man"
    is "$(cat "$work/man")" "" "manual pages are as groff wants them"
}

check_completion() {
    local dir=$work/files/usr/share
    is "$(bash -c ". '$dir/bash-completion/completions/conclave'; COMP_WORDS=(conclave job l) COMP_CWORD=2; _conclave; echo \${COMPREPLY[*]}")" \
        "list log" "bash completes a command"
    is "$(bash -c ". '$dir/bash-completion/completions/conclave'; compopt() { :; }; COMP_WORDS=(conclave up --por) COMP_CWORD=2; _conclave; echo \${COMPREPLY[*]}")" \
        "--port=" "bash completes an option"
    is "$(HOME=$work fish --no-config -c "source '$dir/fish/vendor_completions.d/conclave.fish'; complete -C 'conclave submit fac'" | cut -f 1)" \
        factorial "fish completes a kind of job"
    is "$(bash -c ". '$dir/bash-completion/completions/conclave-node'; compopt() { :; }; COMP_WORDS=(conclave-node --snapshot-k) COMP_CWORD=1; _conclave_node_options; echo \${COMPREPLY[*]}")" \
        "--snapshot-keep=" "bash completes an option of conclave-node"
    is "$(HOME=$work fish --no-config -c "source '$dir/fish/vendor_completions.d/conclave-broker.fish'; complete -C 'conclave-broker --quo'" | cut -f 1)" \
        --quota-rate "fish completes an option of conclave-broker"
    # zsh's completion wants a line editor: what it would describe is looked at.
    is "$(zsh -fc "_describe() { print -l \${(P)2}; }; compdef() { :; }; source '$dir/zsh/vendor-completions/_conclave'
        words=(conclave job l) CURRENT=3 PREFIX=l; _conclave" 2>&1 | grep '^list:')" "list:List jobs, all or these" "zsh completes a command"
}

# The script of Slurm with doubles of its commands; the manifests as far as a parser goes.
check_examples() {
    mkdir "$work/slurm" "$work/slurm/local"
    is "$(PATH=$PWD/tests/packaging/slurm:$work/files/usr/bin:$PATH SLURM_JOB_ID=$$ SLURM_JOB_NODELIST=x CONCLAVE_PORT=$((20000 + $$ % 9000)) \
        CONCLAVE_SHARED=$work/slurm CONCLAVE_LOCAL=$work/slurm/local \
        timeout 90 bash packaging/slurm.sh conclave submit factorial 10 2>>"$work/log")" "10!=3628800" "packaging/slurm.sh, with a double of srun"
    is "$(find "$work/slurm" -mindepth 1 | wc -l)" 1 "it leaves nothing"
    is "$(/usr/bin/python3 -c 'import sys, yaml; print(*[d["kind"] for d in yaml.safe_load_all(open(sys.argv[1]))])' packaging/kubernetes.yaml)" \
        "Service Service ConfigMap StatefulSet Deployment" "packaging/kubernetes.yaml is YAML"
}

# What this machine cannot do is no fault of the packages.
leave_out() {
    say "without root, a mirror and containers the packages are not installed here: $*"
    exit 0
}
prepare_machine() {
    local tarball said
    [ "$(id -u)" -eq 0 ] || leave_out "not root"
    tarball=$(sh tests/tools/base.sh 2>"$work/said") || leave_out "no bare Debian by debootstrap: $(tail -n 1 "$work/said")"
    mkdir "$root"
    if [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -gt $((4 * root_kib)) ]; then
        mount -t tmpfs -o "size=${root_kib}k" conclave-deb "$root" # a disk takes a minute longer, or two
    fi
    tar -C "$root" -xf "$tarball" || die "the bare Debian cannot be unpacked"
    said=$(systemd-nspawn --quiet --register=no --keep-unit --private-network -M "conclave-deb-$$" -D "$root" true 2>&1) ||
        leave_out "systemd-nspawn: $(printf '%s\n' "$said" | tail -n 1)"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    here apt-get update -qq >"$work/said" 2>&1 || leave_out "apt-get update: $(tail -n 1 "$work/said")"
    # It is thrown away: nothing has to outlive a loss of power.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
}

install_it() {
    find "$root/etc" "$root/var" "$root/usr/share" "$root/usr/bin" "$root/lib/systemd" -path "*conclave*" >"$work/before"
    cp "$deb" "$root/var/cache/new.deb"
    cp build/deb/*.deb "$root/var/cache/"
    newer "$deb" "$root/var/cache/newer.deb"
    mount -t proc proc "$root/proc"
    here apt-get install -y -qq --no-install-recommends /var/cache/new.deb >>"$work/log" 2>&1 || die "apt-get install fails"
    ok "apt install ./conclave.deb"
    # shellcheck disable=SC2046
    here apt-get install -y -qq --no-install-recommends $(cd build/deb && ls lib*.deb python3-*.deb | sed 's,^,/var/cache/,') \
        gcc libc6-dev pkgconf >>"$work/log" 2>&1 || die "apt-get install fails for the libraries"
    umount "$root/proc"
    is "$(here python3 -c 'import conclave; print(conclave.__name__)')" conclave "python3 imports conclave"
    cp clients/library/example/map.c "$root/opt/map.c"
    # shellcheck disable=SC2016
    is "$(here sh -c 'gcc -Wall -Werror /opt/map.c $(pkg-config --cflags --libs conclave) -o /opt/map && { /opt/map; echo $?; } 2>&1' | tail -n 1)" \
        2 "an example of libconclave is compiled, and starts"
    is "$(here stat -c '%a %U %n' /var/lib/conclave /var/spool/conclave | tr '\n' ' ')" \
        "700 conclave /var/lib/conclave 711 conclave /var/spool/conclave " "directories are there, and closed"
}

check_units() {
    local unit limit said
    # Its own remarks on the missing man program are no fault of the units.
    said=$(there systemd-analyze verify conclave-node@1.service conclave-broker.service 2>&1 | grep -v "Command 'man " || true)
    is "$said" "" "systemd-analyze verify"
    for unit in conclave-node@1:30 conclave-broker:20; do
        limit=${unit#*:}
        if there systemd-analyze security --no-pager --threshold="$limit" "${unit%:*}.service" >>"$work/log"; then
            ok "${unit%:*}: exposure is $limit tenths or less"
        else
            bad "${unit%:*} is more exposed than $limit tenths"
        fi
    done
}

# As somebody meets it who has just installed the package: nothing set up, an empty directory.
tour_it() {
    local said
    # shellcheck disable=SC2016
    if said=$(/usr/bin/python3 tests/tools/pasted.py README.md nsenter -t "$init" -a env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        sh -c 'mkdir /root/tour && cd /root/tour && exec bash --norc --noprofile' 2>&1); then
        ok "$said"
    else
        bad "$said"
    fi
    is "$(running)" 0 "the tour leaves nothing running"
    there rm -rf /root/tour
}

start_it() {
    there sh -c 'echo CONCLAVE_NODES=3 >>/etc/default/conclave'
    conclave keys init --dir /var/lib/conclave --nodes 3 --broker tcp://127.0.0.1:7000 >>"$work/log" 2>&1 || die "keys init"
    # shellcheck disable=SC2086
    there systemctl start $units || die "the units do not start"
    until_true 30 healthy || die "the cluster is not healthy after 30 s"
    ok "a broker and three nodes run by their units"
}

use_it() {
    is "$(conclave submit factorial 10)" "10!=3628800" "submit factorial 10"
    conclave kv put greeting hello --node 2 >>"$work/log" 2>&1
    is "$(conclave kv get greeting --node 2)" hello "kv put and get"
    # shellcheck disable=SC2016
    is "$(conclave map --sh 'echo $(id -un) $(sed -n "s/^CapEff:.//p;s/^CapPrm:.//p;s/^CapAmb:.//p" /proc/self/status) {}' ::: a b)" \
        "$(printf 'conclave-run 0000000000000000 0000000000000000 0000000000000000 %s\n' a b)" \
        "commands run as conclave-run, without any capability"
    is "$(conclave map --sh 'cat /var/lib/conclave/access.json; ls /var/lib/conclave; touch /usr/x; echo {}' ::: a 2>/dev/null)" a \
        "a command reads neither keys nor data, and writes nothing of the system (its own output alone)"
    is "$(as_conclave /opt/map 'echo {} | tr a-z A-Z' one 2>>"$work/log" | tail -n 1)" ONE "that example runs a command on the cluster"
    if there grep -rqs '"secret"' /var/spool/conclave; then bad "a key lies in the scratch directory"; else ok "no key lies in the scratch directory"; fi
    is "$(capabilities conclave-broker)" 0000000000000000 "a broker has no capabilities"
    is "$(there systemctl show -P User conclave-node@1)" conclave "a node does not run as root"
}

replace_it() {
    local before
    before=$(there systemctl show -P MainPID conclave-node@2)
    there apt-get install -y -qq /var/cache/newer.deb >>"$work/log" 2>&1 || die "a newer version does not install"
    is "$(there dpkg-query -W -f '${Version}' conclave)" "$version+newer" "a newer version is installed"
    is "$(there systemctl show -P MainPID conclave-node@2)" "$before" "that restarts no node"
    for unit in $units; do
        there systemctl restart "$unit"
        until_true 30 healthy || die "not healthy after a restart of $unit"
    done
    ok "one after another is restarted"
    # shellcheck disable=SC2086
    there systemctl stop $units
    is "$(active)" 0 "all are stopped"
    # shellcheck disable=SC2086
    there systemctl start $units
    until_true 30 healthy || die "not healthy after a stop of all"
    is "$(conclave kv get greeting --node 2)" hello "the value is still there"
    is "$(conclave job list --json | grep -o '"state": *"done"' | wc -l)" 4 "and so are four finished jobs"
}

remove_it() {
    there apt-get remove -y -qq conclave >>"$work/log" 2>&1 || die "apt-get remove fails"
    is "$(running)" 0 "remove stops all"
    if there test -d /var/lib/conclave/node1; then ok "remove keeps the data"; else bad "remove takes the data"; fi
    there apt-get purge -y -qq conclave libconclave0 libconclave-dev python3-conclave >>"$work/log" 2>&1 || die "apt-get purge fails"
    is "$(there find /etc /var /usr /lib/systemd /run -xdev -path '*conclave*' ! -path '/var/cache/*' ! -path '/var/log/journal/*' | head)" "" \
        "purge leaves nothing"
    is "$(there getent passwd conclave conclave-run | cut -d: -f1 | tr '\n' ' ')" "conclave conclave-run " "but the two accounts, as documented"
}

deb=$(ls build/deb/conclave_*.deb)
changes=$(ls build/deb/*.changes)
version=$(dpkg-deb -f "$deb" Version)
sh tests/tools/deps.sh debtest
check_package
check_completion
check_examples
prepare_machine
install_it
boot
check_units
tour_it
start_it
use_it
replace_it
remove_it
