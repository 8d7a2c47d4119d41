#!/usr/bin/env bash
# Installs ratekit with all that its tests need into the clone's own virtual environment and
# runs the whole suite: style, types, the fresh-sample check, unit, contract, migration, fault
# and functional tests, the last on a real Keystone and Gnocchi that it starts itself. Where CI
# is set, and in the long profile, prices are compared with CloudKitty's, too.
#
#   tools/test.sh [pytest's arguments]     e.g. tools/test.sh tests/unit -k period
#   tools/test.sh --full [...]             the long profile: more crashes, faults, rules
set -euo pipefail
. "$(dirname "$0")/venv.sh"
if [ "${1:-}" = --full ]; then
    export RATEKIT_TEST_FULL=1
    shift
fi
extras=test,lint,stack,postgresql,mysql
if [ -n "${CI:-}${RATEKIT_TEST_FULL:-}" ]; then
    extras+=,differential
fi
ratekit_venv "$extras"

if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
ruff check .
ruff format --check .
mypy
tools/genconfig.sh --check
# Two halves side by side: one waits for a cloud most of the time, the other computes.
log=$(mktemp)
trap 'kill -INT $beside 2>/dev/null && wait $beside; rm -f "$log"' EXIT
env --default-signal=INT python -m pytest tests/functional >"$log" 2>&1 &
beside=$!
code=0
python -m pytest tests/unit tests/contract tests/migrations tests/differential tests/faults || code=$?
echo "The functional tests ran beside these:"
wait $beside || code=$?
cat "$log"
exit $code
