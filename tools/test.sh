#!/usr/bin/env bash
# Runs the tests in the clone's own virtual environment, which it creates.
#
#   tools/test.sh                          everything: style, types, generated files,
#                                          documentation, all tests; starts a real Keystone,
#                                          Gnocchi and databases
#   tools/test.sh [pytest's arguments]     e.g. tools/test.sh tests/unit -k period
#   tools/test.sh --full [...]             the long profile: more crashes, faults and rules
#
# With arguments it installs only what the named tests need: little for tests/unit and
# tests/oracle, database servers for tests/contract, tests/migrations and tests/coordination, the
# stack for tests/functional, tests/faults and tests/judges, with a driver of browsers for
# tests/pages, CloudKitty for tests/differential.
# Without arguments it installs all of these, but CloudKitty only in the long profile and where CI is
# set. The judges, programs of others, have environments of their own in .judges. tests/pages, and the
# judges in the long profile, need chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/venv.sh
if [ "${1:-}" = --full ]; then
    export RATEKIT_TEST_FULL=1
    shift
fi

databases=databases,postgresql,mysql,etcd,redis
everything=$databases,stack,pages${CI:+,differential}${RATEKIT_TEST_FULL:+,differential}

# Prints the extras that pytest's arguments need; those that name no path mean all tests.
extras_of() {
    local argument path extras= only_known=
    for argument; do
        path=${argument%%::*}
        path=${path#"$PWD"/}
        path=${path#./}
        case $path in
            tests/unit | tests/unit/* | tests/oracle | tests/oracle/*) only_known=yes ;;
            tests/contract | tests/contract/* | tests/migrations | tests/migrations/* | \
                tests/coordination | tests/coordination/*)
                only_known=yes extras+=,$databases ;;
            tests/functional | tests/functional/* | tests/faults | tests/faults/* | \
                tests/judges | tests/judges/*)
                only_known=yes extras+=,$databases,stack ;;
            tests/pages | tests/pages/*) only_known=yes extras+=,$databases,stack,pages ;;
            tests/differential | tests/differential/*) only_known=yes extras+=,differential ;;
            tests | tests/ | tests/*) extras+=,$everything only_known=yes ;;
        esac
    done
    [ $only_known ] || extras=,$everything
    echo "test$extras"
}

if [ $# -gt 0 ]; then
    ratekit_venv "$(extras_of "$@")"
    exec env --default-signal=INT python -m pytest "$@"
fi
ratekit_venv "test,lint,doc,$everything"
ruff check .
ruff format --check .

# Three lanes run at once, because faults and functional tests also wait for clouds and daemons;
# the output of the first is shown at once, that of the others at the end. Ctrl-C is tested, so it
# must work where this script runs in the background, too.
run_tests() { exec env --default-signal=INT python -m pytest "$@"; }
outputs=$(mktemp -d)
lanes=()
end_lanes() {
    kill -INT "${lanes[@]}" 2>/dev/null || :
    wait "${lanes[@]}" || :
    rm -r "$outputs"
}
trap end_lanes EXIT
run_tests tests/functional tests/judges tests/pages >"$outputs/functional" 2>&1 &
lanes+=($!)
run_tests tests/faults tests/coordination >"$outputs/faults" 2>&1 &
lanes+=($!)

mypy
tools/genconfig.sh --check
sphinx-build -q -W --keep-going -b html doc doc/_build/html
code=0
(run_tests tests/unit tests/oracle tests/contract tests/migrations tests/differential) || code=$?
for lane in "${lanes[@]}"; do
    wait "$lane" || code=$?
done
lanes=()
echo "The faults, and the functional tests with judges and pages, ran at the same time:"
cat "$outputs/faults" "$outputs/functional"
exit $code
