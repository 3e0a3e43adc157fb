#!/usr/bin/env bash
# What tests in shell share: source it, after having set `suite`. What is printed, counted, and waited for.
passed=0
failed=0

say() { printf '%s\n' "$suite: $*"; }
ok() {
    passed=$((passed + 1))
    printf 'ok    %s\n' "$*"
}
bad() {
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$*"
}
# is GOT WANTED WHAT: one check
is() {
    if [ "$1" = "$2" ]; then ok "$3"; else bad "$3: got '$1', wanted '$2'"; fi
}
die() {
    bad "$*"
    exit 1
}

# until_true SECONDS COMMAND...: waits for a condition, asking twice a second
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}
