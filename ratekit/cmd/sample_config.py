"""ratekit sample-config: the files that an installation starts with."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import sysconfig
from importlib import resources

from ratekit import errors
from ratekit.cmd import command_types
from ratekit.cmd.output import whole_file

#: The file in the package and its mode, by its name in the folder.
_FILES = {
    # An operator will write passwords into it.
    "ratekit.conf": ("ratekit/ratekit.conf.sample", 0o640),
    "policy.yaml.sample": ("ratekit/policy.yaml.sample", 0o644),
    "metrics.yml": ("ratekit/metrics.yml", 0o644),
    "metrics.schema.json": ("ratekit/metrics.schema.json", 0o644),
    "hashmap.yml": ("ratekit/hashmap.yml", 0o644),
    "hashmap.schema.json": ("ratekit/hashmap.schema.json", 0o644),
    "ratekit-processor.service": ("systemd/ratekit-processor.service", 0o644),
    "ratekit-api.service": ("systemd/ratekit-api.service", 0o644),
}
_UNIT_PROGRAM = re.compile(r"^ExecStart=/usr/bin/(ratekit-\w+) ", re.MULTILINE)


class SampleConfig(command_types.Action):
    """Write a sample configuration, metrics, price rules and systemd units to a folder.

    The files have the group of the folder. ratekit.conf, which will have passwords, cannot be
    read by others. The units run the programs of this installation.
    """

    arguments = " DIR"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "folder",
            metavar="DIR",
            type=pathlib.Path,
            help="created if missing; for an installation /etc/ratekit",
        )
        parser.add_argument("--force", action="store_true", help="overwrite files that exist")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Write all files, or none if one exists."""
        folder: pathlib.Path = parsed_args.folder
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            present = [name for name in _FILES if os.path.lexists(folder / name)]
            if present and not parsed_args.force:
                raise errors.OperatorError(
                    f"{folder}: {', '.join(present)} already there; use --force to overwrite"
                )
            group = folder.stat().st_gid
            for name, (source, mode) in _FILES.items():
                whole_file.replace(folder / name, _read(source), mode, group)
                self.print_line(str(folder / name))
        except OSError as error:
            raise errors.OperatorError(f"{folder}: cannot be written: {error.strerror}") from None
        return 0


def _read(source: str) -> str:
    text = resources.files("ratekit").joinpath("etc", source).read_text(encoding="utf-8")
    return _UNIT_PROGRAM.sub(lambda match: f"ExecStart={_program(match[1])} ", text)


def _program(name: str) -> str:
    """Return this installation's program as systemd reads it: it expands % and splits words."""
    path = os.path.join(sysconfig.get_path("scripts"), name)
    return '"{}"'.format(path.replace("%", "%%")) if " " in path else path.replace("%", "%%")
