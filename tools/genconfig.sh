#!/usr/bin/env bash
# Writes etc/ratekit/ratekit.conf.sample from the options in ratekit/conf, and
# etc/ratekit/metrics.schema.json, which editors check metrics.yml with, from what the reader
# takes; with --check only says whether they are fresh (of the sample ratekit's own sections:
# those of libraries change with them).
set -euo pipefail
. "$(dirname "$0")/venv.sh"
ratekit_venv test,lint,stack,postgresql,mysql

sample=etc/ratekit/ratekit.conf.sample
schema=etc/ratekit/metrics.schema.json
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
export PYTHONWARNINGS=ignore
oslo-config-generator --namespace ratekit --namespace oslo.log --namespace oslo.service.service \
    --output-file "$fresh/sample"
python -c '
import json
from ratekit import metrics_schema
from ratekit.collectors.gnocchi.args import GnocchiArgs
print(json.dumps(metrics_schema.json_schema(GnocchiArgs), indent=2, sort_keys=True))
' >"$fresh/schema"
own() { sed -n '/^\[collect\]/,$p' "$1"; }
if [ "${1:-}" = --check ]; then
    stale=()
    [ "$(own "$fresh/sample")" = "$(own $sample)" ] || stale+=($sample)
    cmp --silent "$fresh/schema" $schema || stale+=($schema)
    if [ ${#stale[@]} -gt 0 ]; then
        echo "stale: ${stale[*]}: run tools/genconfig.sh" >&2
        exit 1
    fi
else
    cp "$fresh/sample" $sample
    cp "$fresh/schema" $schema
    chmod 644 $sample $schema
fi
