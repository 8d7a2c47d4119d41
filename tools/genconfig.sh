#!/usr/bin/env bash
# Writes etc/ratekit/ratekit.conf.sample from the options in ratekit/conf; with --check only
# says whether ratekit's own sections of it are fresh (those of libraries change with them).
set -euo pipefail
. "$(dirname "$0")/venv.sh"
ratekit_venv test,lint,stack,postgresql,mysql

sample=etc/ratekit/ratekit.conf.sample
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
export PYTHONWARNINGS=ignore
oslo-config-generator --namespace ratekit --namespace oslo.log --namespace oslo.service.service \
    --output-file "$fresh"
own() { sed -n '/^\[collect\]/,$p' "$1"; }
if [ "${1:-}" = --check ]; then
    if [ "$(own "$fresh")" != "$(own $sample)" ]; then
        echo "$sample is stale: run tools/genconfig.sh" >&2
        exit 1
    fi
else
    cp "$fresh" $sample
    chmod 644 $sample
fi
