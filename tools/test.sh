#!/usr/bin/env bash
# Installs ratekit with all that its tests need into the clone's own virtual environment and
# runs the whole suite: style, types, the fresh-sample check, unit, contract, migration and
# functional tests, the last on a real Keystone and Gnocchi that it starts itself.
#
#   tools/test.sh [pytest's arguments]     e.g. tools/test.sh tests/unit -k period
set -euo pipefail
. "$(dirname "$0")/venv.sh"
ratekit_venv test,lint,stack,postgresql

if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
ruff check .
ruff format --check .
mypy
tools/genconfig.sh --check
python -m pytest
