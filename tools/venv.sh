# Sourced by the other scripts: makes the clone's own virtual environment, once, and uses it.
#
#   ratekit_venv EXTRAS    installs the checkout with these extras when setup.cfg has changed

ratekit_venv() {
    local extras=$1 venv=.venv stamp
    cd "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
    local python=${PYTHON:-}
    if [ -z "$python" ]; then
        for python in python3 python3.13 python3.12 python3.11; do
            "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
                2>/dev/null && break
            python=
        done
    fi
    if [ -z "$python" ]; then
        echo "ratekit needs Python 3.11 or newer with the venv module (Debian: python3-venv)" >&2
        return 1
    fi
    if [ ! -x $venv/bin/python ] || ! $venv/bin/python -c '' 2>/dev/null; then
        echo "making a virtual environment in $venv" >&2
        "$python" -m venv --clear $venv || return 1
    fi
    stamp="$extras $(cksum < setup.cfg)"
    # More extras than these, installed by another script, do no harm.
    if [[ "$(cat $venv/ratekit.stamp 2>/dev/null)" != "$extras"*" ${stamp#* }" ]]; then
        echo "installing ratekit[$extras] into $venv; the first time takes a minute or two" >&2
        $venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --editable ".[$extras]" >"$venv/install.log" 2>&1 || {
            tail -n 5 "$venv/install.log" >&2
            echo "the installation failed; all of pip's words are in $venv/install.log" >&2
            return 1
        }
        echo "$stamp" > $venv/ratekit.stamp
    fi
    export PATH="$PWD/$venv/bin:$PATH" VIRTUAL_ENV="$PWD/$venv"
}
