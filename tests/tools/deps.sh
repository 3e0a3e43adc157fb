#!/bin/sh
# Sees to it that what Conclave needs is installed: deps.sh GROUP...
#   build    compiler and libraries        test    what the tests need on top
#   format   clang-format                  compose a docker engine from the distribution
#   fuzz     clang with its fuzzer         web      a browser and promtool; without them their tests are skipped
#   deb      what makes packages            debtest  what their test needs
#   deploy   what looks at the files for Kubernetes and Slurm; without it those tests are skipped
#   python   what builds the Python client's wheel and checks its types
#   bench    what is measured beside Conclave, and what draws the figures; only `make bench` wants these.
#            The packages of gearmand and etcd start their services, as Debian's do
# Silent and quick when nothing is missing. On Debian and Ubuntu the missing packages are installed
# (as root, or through sudo); elsewhere, and without the right to, they are named and the exit status is 1.
set -eu

# group | how to see that it is there | Debian's name for it (with | between alternatives, the first known one is taken)
table='
build   cmd:gcc             gcc
build   cmd:ar              binutils
build   hdr:stdlib.h        libc6-dev
build   cmd:pkg-config      pkgconf|pkg-config
build   pc:libzmq           libzmq3-dev
build   pc:libczmq          libczmq-dev
build   pc:msgpack,msgpack-c libmsgpack-c-dev|libmsgpack-dev
build   hdr:gmp.h           libgmp-dev
build   hdr:flint/fft.h     libflint-dev
build   pc:fftw3            libfftw3-dev
build   hdr:lmdb.h          liblmdb-dev
build   hdr:mimalloc.h      libmimalloc-dev
build   pc:jansson          libjansson-dev
build   pc:libsodium        libsodium-dev
build   pc:libmicrohttpd    libmicrohttpd-dev
build   pc:nettle           nettle-dev
build   hdr:zlib.h          zlib1g-dev
test    pc:cmocka           libcmocka-dev
test    hdr:mpfr.h          libmpfr-dev
test    cmd:python3         python3
test    py:pytest           python3-pytest
test    py:xdist            python3-pytest-xdist
test    py:zmq              python3-zmq
test    py:msgpack          python3-msgpack
test    py:cryptography     python3-cryptography
test    cmd:valgrind        valgrind
test    cmd:gp              pari-gp
test    cmd:tmux            tmux
python  py:build            python3-build
python  py:setuptools       python3-setuptools
python  py:wheel            python3-wheel
python  cmd:mypy            mypy
test    py:cloudpickle      python3-cloudpickle
format  cmd:clang-format    clang-format
fuzz    cmd:clang           clang
fuzz    fuzzer:             libclang-rt-dev|libclang-rt-14-dev|libclang-rt-19-dev
web     cmd:chromium        chromium
web     cmd:promtool        prometheus
deploy  py:kubernetes       python3-kubernetes
deploy  py:yaml             python3-yaml
deploy  cmd:shellcheck      shellcheck
bench   cmd:python3         python3
bench   py:zmq              python3-zmq
bench   py:msgpack          python3-msgpack
bench   cmd:gearmand        gearman-job-server
bench   hdr:libgearman/gearman.h libgearman-dev
bench   cmd:etcd            etcd-server
bench   cmd:gnuplot         gnuplot-nox
deb     deb:                build-essential
deb     cmd:dh              debhelper
deb     cmd:dpkg-buildpackage dpkg-dev
deb     cmd:dh_python3      dh-python
deb     cmd:lintian         lintian
debtest cmd:debootstrap     debootstrap
debtest cmd:systemd-nspawn systemd-container
debtest py:yaml           python3-yaml
debtest cmd:man             man-db
debtest cmd:zsh             zsh
debtest cmd:fish            fish
compose cmd:dockerd         docker.io
compose cmd:docker-compose  docker-compose
compose cmd:debootstrap     debootstrap
compose cmd:iptables        iptables
'

# there PROBE: is it usable, whoever installed it?
there() {
    what=${1#*:}
    case $1 in
    cmd:*) command -v "$what" >/dev/null || [ -x "/usr/sbin/$what" ] ;;
    hdr:*) echo "#include <$what>" | ${CC:-gcc} -fsyntax-only -x c - 2>/dev/null ;;
    fuzzer:*) echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null ;;
    py:*) /usr/bin/python3 -c "import $what" 2>/dev/null ;;
    deb:*) return 1 ;; # only the package itself will do
    pc:*)
        for name in $(echo "$what" | tr , ' '); do
            pkg-config --exists "$name" 2>/dev/null && return 0
        done
        return 1
        ;;
    esac
}

# One question for all of a group's packages: asking once is what makes a second run instant.
installed=' '
if command -v dpkg-query >/dev/null; then
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package}\n' | sed -n 's/^installed://p' | tr '\n' ' ')"
fi

missing=''
for group in "$@"; do
    while read -r row probe packages; do
        [ "$row" = "$group" ] || continue
        have=no
        for package in $(echo "$packages" | tr '|' ' '); do
            case $installed in *" $package "*) have=yes ;; esac
        done
        [ $have = yes ] || there "$probe" || missing="$missing $packages"
    done <<EOT
$table
EOT
done
[ -n "$missing" ] || exit 0

refuse() {
    echo "deps: missing (Debian's names, | between alternatives):$missing" >&2
    echo "deps: $1" >&2
    exit 1
}

command -v apt-get >/dev/null || refuse "install them, then try again"
as_root=''
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || refuse "install them as root, or have root run: make deps"
    as_root=sudo
fi

known() {
    apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

# The package lists are fetched only where there are none: a machine that has them is asked for nothing more.
updated=no
update() {
    echo "deps: fetching the package lists" >&2
    $as_root apt-get update -qq >&2
    updated=yes
}
choose() {
    chosen=''
    for packages in $missing; do
        found=''
        for package in $(echo "$packages" | tr '|' ' '); do
            [ -n "$found" ] || ! known "$package" || found=$package
        done
        [ -n "$found" ] || return 1
        chosen="$chosen $found"
    done
}
install() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 $chosen </dev/null >"$log" 2>&1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
choose || { update && choose; } || refuse "the package lists do not know all of them"
echo "deps: installing$chosen" >&2
if ! install; then
    # Lists from last month name files that are gone from the mirror.
    if [ $updated = yes ] || ! update || ! choose || ! install; then
        tail -n 20 "$log" >&2
        refuse "apt-get install failed"
    fi
fi
