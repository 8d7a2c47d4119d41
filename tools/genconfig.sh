#!/usr/bin/env bash
# Writes etc/ratekit/ratekit.conf.sample from the options of ratekit, its own plug-ins and the
# libraries around its API, policy.yaml.sample from the API's rules, and metrics.schema.json and
# hashmap.schema.json, with which editors check metrics.yml and price rules, from the models that
# read them. With --check it only reports files that are out of date (in the first sample only
# ratekit's own sections, because others change with libraries).
set -euo pipefail
. "$(dirname "$0")/venv.sh"
ratekit_venv

sample=etc/ratekit/ratekit.conf.sample
policies=etc/ratekit/policy.yaml.sample
metrics=etc/ratekit/metrics.schema.json
hashmap=etc/ratekit/hashmap.schema.json
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
export PYTHONWARNINGS=ignore
oslo-config-generator --namespace oslo.log --namespace oslo.service.service \
    --namespace keystonemiddleware.auth_token --namespace oslo.middleware.cors \
    --namespace oslo.middleware.healthcheck --namespace oslo.middleware.http_proxy_to_wsgi \
    --namespace oslo.policy --namespace ratekit --output-file "$fresh/sample"
oslopolicy-sample-generator --namespace ratekit --output-file "$fresh/policies"
python -c '
import json, sys
from ratekit.files import metrics_schema, rules_schema
from ratekit.collectors.gnocchi.args import GnocchiArgs
schemas = {"metrics": metrics_schema.json_schema(GnocchiArgs), "hashmap": rules_schema.json_schema()}
for name, schema in schemas.items():
    with open(f"{sys.argv[1]}/{name}", "w") as file:
        print(json.dumps(schema, indent=2, sort_keys=True), file=file)
' "$fresh"
own_sections() {
    awk '/^\[/ { own = !/^\[(DEFAULT|cors|healthcheck|keystone_authtoken|oslo_.*)\]/ } own' "$1"
}
if [ "${1:-}" = --check ]; then
    stale=()
    [ "$(own_sections "$fresh/sample")" = "$(own_sections $sample)" ] || stale+=($sample)
    cmp --silent "$fresh/policies" $policies || stale+=($policies)
    cmp --silent "$fresh/metrics" $metrics || stale+=($metrics)
    cmp --silent "$fresh/hashmap" $hashmap || stale+=($hashmap)
    if [ ${#stale[@]} -gt 0 ]; then
        echo "out of date: ${stale[*]}; run tools/genconfig.sh" >&2
        exit 1
    fi
else
    cp "$fresh/sample" $sample
    cp "$fresh/policies" $policies
    cp "$fresh/metrics" $metrics
    cp "$fresh/hashmap" $hashmap
    chmod 644 $sample $policies $metrics $hashmap
fi
