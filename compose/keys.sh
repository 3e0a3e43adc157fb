#!/bin/sh
# The one-shot service `keys` of the compose file: makes the cluster's keys in /keys/all, once, and gives each
# service its own in a volume of its own: access.json (its key), allowed.json (everybody's public keys), and
# check.json, a key of role monitor for its health check. /keys/client has the admin's.
set -eu
all=/keys/all
conclave keys init --dir $all --nodes "$CONCLAVE_NODES" --broker "$CONCLAVE_BROKER"
services=broker
for id in $(seq "$CONCLAVE_NODES"); do services="$services node$id"; done
for service in $services; do
    [ -e $all/keys/check-$service.json ] ||
        conclave keys add check-$service --role monitor --dir $all
done
for service in $services; do
    install -m 600 $all/keys/$service.json /keys/$service/access.json
    install -m 600 $all/keys/check-$service.json /keys/$service/check.json
    cmp -s $all/keys/allowed.json /keys/$service/allowed.json && continue
    # Whole or not at all: the service may be reading it.
    install -m 600 $all/keys/allowed.json /keys/$service/.allowed.new
    mv /keys/$service/.allowed.new /keys/$service/allowed.json
done
install -m 600 $all/access.json /keys/client/access.json
