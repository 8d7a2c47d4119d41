"""ratekit hashmap check and export: the price rules as files."""

from __future__ import annotations

import argparse

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.cmd import command_types, startup
from ratekit.cmd.hashmap import rule_lines


class HashmapCheck(command_types.Action):
    """Check a file of price rules by itself; needs no database and no configuration.

    A mistake is a line and exit code 2. What is allowed and yet charges nothing, or not what
    it seems to, is a warning.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
        parser.add_argument(
            "--metrics",
            metavar="FILE",
            help="the metrics.yml whose metrics and labels the rules are for; by default what "
            "the configuration names, if there is one",
        )
        parser.add_argument(
            "--strict", action="store_true", help="exit with 1 if there is any warning"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Read the file and tell what is wrong with it."""
        from ratekit.domain.rules import calendar_labels
        from ratekit.files import metrics_file, rule_warnings, rules_file

        placed = rules_file.read_placed(parsed_args.file)
        metrics, scope_key = self._metrics(parsed_args.metrics)
        known = {} if metrics is None else metrics_file.labels(metrics, scope_key)
        if parsed_args.metrics is not None and not known:
            raise errors.OperatorError(
                f"{parsed_args.metrics}: no metrics can be read: see ratekit metric check"
            )
        labels = {name: own | calendar_labels.NAMES for name, own in known.items()}
        found = rule_warnings.warnings(parsed_args.file, placed, metrics or "", labels)
        for warning in found:
            self.app.note(f"warning: {warning}")
        against = f", against {metrics}" if labels else ", against no metrics.yml"
        self.say(f"{rule_lines.count(placed)}, {len(found)} suspicious{against}")
        return startup.FAILED if found and parsed_args.strict else 0

    def _metrics(self, given: str | None) -> tuple[str | None, str]:
        """Return the path of the metrics.yml to check against, and the scope key."""
        if self.app.has_conf():
            section = self.app.load_conf().collect
            return given or section.metrics_conf, section.scope_key
        from ratekit.conf import collect

        defaults = {option.dest: option.default for option in collect.OPTS}
        return given, defaults["scope_key"]


class HashmapExport(command_types.Action):
    """Write the price rules that are in force now or later.

    In the format that hashmap apply reads; applying it as it is changes nothing.
    """

    arguments = " [FILE]"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="a new file; by default standard output"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Write the rules."""
        from ratekit.files import rules_file

        store = self.app.open_storage(self.app.load_conf()).rules
        text = rules_file.render(hashmap.export(store, self.app.clock()))
        if parsed_args.file is None:
            self.app.stdout.write(text)
            return 0
        try:
            # An operator's own file has comments that this one lacks.
            with open(parsed_args.file, "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise errors.OperatorError(
                f"{parsed_args.file}: cannot be written: {error.strerror}"
            ) from None
        return 0
