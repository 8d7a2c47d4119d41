"""Runs commands of ``openstack`` one after another in one process, which starts but once.

Reads a JSON list of argument lists from standard input; a word such as ``{service}`` is replaced
by what an earlier command printed. A command is ``{"argv": [..], "keep": {"service": column}}``.
Writes a JSON list of ``{"code", "out", "err"}``. With an argument it lists the commands of a
version of the API instead.
"""

import contextlib
import io
import json
import logging
import sys
from importlib import metadata

from openstackclient import shell


def run(argv):
    """Return what a command did."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(argv)
        except SystemExit as end:
            code = end.code
    if not isinstance(code, int):
        # As sys.exit does with it.
        err.write(f"{code}\n")
        code = 1
    for handler in logging.getLogger().handlers[:]:
        logging.getLogger().removeHandler(handler)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def run_all(commands):
    """Return what each command did."""
    values, results = {}, []
    for command in commands:
        # What an earlier command should have created, but has not, is an unknown id.
        result = run([values.get(word, word) for word in command["argv"]])
        if result["code"] == 0:
            for key, column in command["keep"].items():
                values[f"{{{key}}}"] = json.loads(result["out"])[0][column]
        results.append(result)
    return results


def list_commands(version):
    """Return the names of the commands with a version of the API."""
    points = metadata.entry_points(group=f"openstack.rating.v{version}")
    return [point.name.replace("_", " ").removeprefix("rating ") for point in points]


if __name__ == "__main__":
    versions = sys.argv[1:]
    json.dump(list_commands(*versions) if versions else run_all(json.load(sys.stdin)), sys.stdout)
