#!/usr/bin/env bash
# Measures how fast and how large ratekit is, in the clone's own virtual environment.
#
#   tools/bench.sh [PART ...] [--json FILE] [--full] [--rounds N]
#
# Prints a table of each part, and writes all figures to FILE. doc/sizing.rst names the parts. The
# large cases are measured with --full only. Starts private databases; the part "real" also a
# Keystone and a Gnocchi.
set -euo pipefail
folder=$PWD
cd "$(dirname "$0")/.."
. tools/venv.sh
ratekit_venv "test,databases,postgresql,mysql,etcd,stack"
cd "$folder"
export PYTHONPATH=$(dirname "$VIRTUAL_ENV")${PYTHONPATH:+:$PYTHONPATH}
# The libraries' own would stand between the figures.
export PYTHONWARNINGS=ignore
exec python -m tests.bench "$@"
