# Sourced by the other scripts. Creates the clone's own virtual environment and activates it.
#
#   ratekit_venv [EXTRAS]    EXTRAS: comma-separated extras of setup.cfg that must be installed
#
# Installs only what is missing: nothing if the environment already has these extras, or more,
# and setup.cfg has not changed. Extras that another script has installed stay installed.

ratekit_venv() {
    local venv=.venv python=${PYTHON:-} sum installed= installed_sum= wanted
    cd -P "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
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
    # Scripts of a virtual environment name its folder: it cannot be moved with the clone.
    if ! $venv/bin/python -c '' 2>/dev/null || ! grep -qsF "$PWD/$venv/" $venv/bin/pip; then
        echo "creating a virtual environment in $venv" >&2
        "$python" -m venv --clear $venv || return 1
    fi
    # The stamp holds the installed extras ("-" for none) and the checksum of setup.cfg.
    read -r installed installed_sum 2>/dev/null < $venv/ratekit.stamp || true
    sum=$(cksum < setup.cfg)
    wanted=$(printf '%s,' "${installed#-}" "${1:-}" | tr , '\n' | sed '/^$/d' | sort -u | paste -sd ,)
    if [ "$installed_sum" != "$sum" ] || [ "$installed" != "${wanted:--}" ]; then
        echo "installing ratekit${wanted:+[$wanted]} into $venv; the first time takes a minute or two" >&2
        # Without a stamp, an interrupted installation is repeated.
        rm -f $venv/ratekit.stamp
        if [ -d ratekit.egg-info ]; then
            # The distribution had another name: its entry points would be there twice.
            $venv/bin/python -m pip uninstall --quiet --yes ratekit 2>/dev/null || true
            rm -r ratekit.egg-info
        fi
        : > $venv/install.log
        _ratekit_progress $venv/install.log &
        local progress=$! code=0
        # As PEP 517 says: else Debian 12's pip writes scripts that do not run in a path with a space.
        $venv/bin/python -m pip install --disable-pip-version-check --no-color --progress-bar off \
            --use-pep517 --editable ".${wanted:+[$wanted]}" >> $venv/install.log 2>&1 || code=$?
        kill $progress 2>/dev/null || true
        wait $progress || true
        if [ $code -ne 0 ]; then
            tail -n 5 $venv/install.log >&2
            echo "the installation failed; pip's whole output is in $PWD/$venv/install.log" >&2
            return 1
        fi
        echo "${wanted:--} $sum" > $venv/ratekit.stamp
    fi
    export PATH="$PWD/$venv/bin:$PATH" VIRTUAL_ENV="$PWD/$venv"
}

# Shows the seconds and the last line of a log: on a terminal each second in one line, else a line
# from time to time, until it is killed.
_ratekit_progress() {
    local start=$SECONDS pause=15 front= back='\n' line
    if [ -t 2 ]; then pause=1 front='\r\033[K' back=; fi
    trap "printf '$front' >&2; exit" TERM
    while kill -0 $$ 2>/dev/null; do  # also ends with the script
        sleep $pause >/dev/null 2>&1 & wait $!
        line=$(grep -E '^ *[A-Z][a-z]+ ' "$1" | tail -n 1) || true
        line=$(printf '%4d s  %s' $((SECONDS - start)) "${line##  }")
        printf "$front%s$back" "${line:0:78}" >&2
    done
}
