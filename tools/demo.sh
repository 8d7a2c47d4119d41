#!/usr/bin/env bash
# Starts a real Keystone and Gnocchi with two days of usage on this machine, rates the usage
# into an SQLite file, prints the charges, and stops what it has started.
#
#   tools/demo.sh [--keep]     --keep leaves the cloud running and prints how to use it
set -euo pipefail
keep=no
case "${1:-}" in
    --keep) keep=yes ;;
    '') ;;
    *) echo "usage: tools/demo.sh [--keep]" >&2; exit 2 ;;
esac
. "$(dirname "$0")/venv.sh"
ratekit_venv stack,databases,postgresql

cloud=$(mktemp -d "${TMPDIR:-/tmp}/ratekit-demo.XXXXXX")
finish() {
    status=$?
    if [ $keep = no ] || [ $status -ne 0 ]; then
        python -m tests.stack down --dir "$cloud" >&2 || true
        if [ $status -eq 0 ]; then rm -rf "$cloud"; else echo "logs are in $cloud" >&2; fi
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] || step() { printf '\n%s\n' "$*" >&2; }

step "1. Start PostgreSQL, Keystone and Gnocchi, with 48 hours of measures"
python -m tests.stack up --dir "$cloud"

config="--config-file $cloud/ratekit.conf"
step "2. Create a database, apply prices"
ratekit-dbsync $config upgrade
ratekit $config hashmap apply etc/ratekit/hashmap.yml --yes

step "3. Rate all usage: ratekit-processor --once"
ratekit-processor $config --once

step "4. Print the charges: ratekit summary"
begin=$(sed -n 's/^start *= *//p' "$cloud/ratekit.conf")
ratekit $config summary --begin "$begin"

step "Try next"
if [ $keep = yes ]; then
    cat >&2 <<END
The cloud is running. In this folder:
    . .venv/bin/activate
    ratekit $config scope list
    ratekit $config summary --begin $begin --groupby day,metric
    ratekit $config summary --begin $begin --groupby flavor_name --metric instance
    ratekit $config frame list --begin $begin --limit 10
    ratekit $config hashmap export
    ratekit-processor $config                # the daemon; Ctrl-C stops it
    python -m tests.stack down --dir $cloud  # stops the cloud
END
else
    cat >&2 <<END
tools/demo.sh --keep leaves the cloud running, to try commands on scopes, prices and frames.
etc/ratekit/ has example files for your own cloud.
END
fi
