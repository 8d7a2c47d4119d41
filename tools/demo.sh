#!/usr/bin/env bash
# Starts a real Keystone and Gnocchi with two days of usage on this machine, rates the usage
# into an SQLite file, prints the bill and writes it with pictures. Then, on a terminal, serves the
# pages and opens a shell to try commands in; "exit" stops everything again.
#
#   tools/demo.sh              without a terminal it stops after the bill
#   tools/demo.sh --keep       leaves the cloud and the pages running and prints how to use them
#   tools/demo.sh --stop DIR   stops a cloud that was left running, and removes its folder
set -euo pipefail
usage() { echo "usage: tools/demo.sh [--keep | --stop DIR]" >&2; exit 2; }
keep=no stop=
case "${1:-}" in
    --keep) [ $# = 1 ] || usage; keep=yes ;;
    --stop) [ $# = 2 ] && [ -f "$2/lock" ] || usage; stop=$(cd "$2" && pwd) ;;
    '') ;;
    *) usage ;;
esac
. "$(dirname "$0")/venv.sh"
ratekit_venv stack,databases,postgresql

remove() {
    python -m tests.stack down --dir "$1" && rm -rf "$1"
}
if [ -n "$stop" ]; then
    remove "$stop"
    exit
fi

cloud=$(mktemp -d "${TMPDIR:-/tmp}/ratekit-demo.XXXXXX")
finish() {
    status=$?
    trap '' INT TERM
    if [ $status -ne 0 ]; then
        python -m tests.stack down --dir "$cloud" >&2 || true
        echo "the demo failed; logs are in $cloud" >&2
    elif [ $keep = no ]; then
        echo "stopping the cloud" >&2
        remove "$cloud"
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 2 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain" >&2; }

step "1. Start PostgreSQL, Keystone and Gnocchi, with 48 hours of measures"
python -m tests.stack up --dir "$cloud"

export RATEKIT_CONFIG="$cloud/ratekit.conf"
printf '\n[rating]\ncurrency = EUR\n' >> "$RATEKIT_CONFIG"
step "2. Create a database, apply prices: ratekit hashmap apply hashmap.yml"
ratekit-dbsync upgrade
cp etc/ratekit/hashmap.yml "$cloud"
ratekit hashmap apply "$cloud/hashmap.yml" --yes

step "3. Rate all usage: ratekit-processor --once"
ratekit-processor --once

begin=$(sed -n 's/^start *= *\(.\{16\}\).*/\1/p' "$cloud/ratekit.conf")
end=$(ratekit scope list -f value -c "Rated until" | sort | head -n 1)
end=${end:0:16}
step "4. Print the bill: ratekit summary --begin $begin --groupby scope"
ratekit summary --begin "$begin" --groupby scope

# In a folder of its own, because that of the cloud is removed in the end.
page=$(mktemp -d "${TMPDIR:-/tmp}/ratekit-bill.XXXXXX")/bill.html
step "5. Write the bill with pictures: ratekit report --begin $begin --end $end -o bill.html"
ratekit report --begin "$begin" --end "$end" -o "$page"
echo "$page" >&2

if [ $keep = yes ] || { [ -t 0 ] && [ -t 2 ]; }; then
    step "6. Serve the pages: ratekit-api with [api] dashboard = true"
    python -m tests.stack pages --dir "$cloud" > "$cloud/pages.txt"
fi

# Sourced by a shell, this makes every command below work in it.
cat > "$cloud/shell.sh" <<END
export PATH=$(printf %q "$PWD/.venv/bin"):\$PATH RATEKIT_CONFIG=$(printf %q "$RATEKIT_CONFIG")
cd $(printf %q "$cloud")
PS1='(ratekit demo) \\$ '
END
sed "s/BEGIN/$begin/g; s/END/$end/g" tools/demo.txt > "$cloud/steps.txt"

step "Try next"
cat >&2 <<END
Open the bill in a browser; it needs no network, and prints:

    file://$page

END
if [ -s "$cloud/pages.txt" ]; then
    printf 'Look at the same costs in the pages, as operator or as tenant:\n\n' >&2
    cat "$cloud/pages.txt" >&2
    echo >&2
fi
if [ $keep = yes ]; then
    cat >&2 <<END
The cloud is running. Make the commands work in this shell:

    . $(printf %q "$cloud/shell.sh")

END
    cat "$cloud/steps.txt" >&2
    cat >&2 <<END

Stop the cloud, and remove its folder:

    $(printf %q "$PWD/tools/demo.sh") --stop $(printf %q "$cloud")
END
elif [ -t 0 ] && [ -t 2 ]; then
    cat "$cloud/steps.txt" >&2
    printf '\nThis shell is for trying them; %sexit%s stops the cloud and removes everything.\n' \
        "$bold" "$plain" >&2
    bash --rcfile "$cloud/shell.sh" -i || true
else
    echo "tools/demo.sh --keep leaves the cloud running, to change prices, explain charges" \
        "and correct the past." >&2
fi
