"""ratekit sample-config: the files that an installation starts with."""

from __future__ import annotations

import argparse
import os
import pathlib
import sysconfig
from importlib import resources

from ratekit import errors
from ratekit.cmd import command_types
from ratekit.cmd.output import whole_file

#: The file in the package and its mode, by its name in the folder.
_FILES = {
    # An operator will write passwords into it.
    "ratekit.conf": ("ratekit/ratekit.conf.sample", 0o640),
    "metrics.yml": ("ratekit/metrics.yml", 0o644),
    "metrics.schema.json": ("ratekit/metrics.schema.json", 0o644),
    "hashmap.yml": ("ratekit/hashmap.yml", 0o644),
    "hashmap.schema.json": ("ratekit/hashmap.schema.json", 0o644),
    "ratekit-processor.service": ("systemd/ratekit-processor.service", 0o644),
}
_UNIT_PROGRAM = "ExecStart=/usr/bin/ratekit-processor "


class SampleConfig(command_types.Action):
    """Write a sample configuration, metrics, price rules and systemd unit to a folder.

    The files have the group of the folder. ratekit.conf, which will have passwords, cannot be
    read by others. The unit runs the ratekit-processor of this installation.
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
    program = os.path.join(sysconfig.get_path("scripts"), "ratekit-processor")
    # systemd expands %, and takes a quoted path with spaces for one word.
    command = '"{}"'.format(program.replace("%", "%%")) if " " in program else program
    return text.replace(_UNIT_PROGRAM, f"ExecStart={command} ")
