"""ratekit hashmap check and export: price rules as files."""

from __future__ import annotations

import argparse

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.cmd import command_types, startup
from ratekit.text import count_text


class HashmapCheck(command_types.Action):
    """Check a file of price rules; needs neither a database nor a configuration.

    Each mistake is a line; the exit code is then 2. A valid rule that charges nothing, or not
    what it seems to, is a warning.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
        parser.add_argument(
            "--metrics",
            metavar="FILE",
            help="metrics.yml with the metrics and labels that the rules are for; default: that of "
            "the configuration, if there is one",
        )
        parser.add_argument(
            "--strict", action="store_true", help="exit with 1 if there are warnings"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Read the file and print its mistakes and warnings."""
        from ratekit.files import metrics_file, rule_warnings, rules_file

        placed = rules_file.read_with_places(parsed_args.file)
        metrics_path, scope_key = self._find_metrics(parsed_args.metrics)
        label_names = (
            {} if metrics_path is None else metrics_file.read_labels(metrics_path, scope_key)
        )
        if parsed_args.metrics is not None and not label_names:
            raise errors.OperatorError(
                f"{parsed_args.metrics}: cannot read any metric; see ratekit metric check"
            )
        labels = hashmap.rule_labels(label_names)
        path, metrics_path = parsed_args.file, metrics_path or ""
        warnings = [
            *rule_warnings.find_warnings(path, placed, metrics_path, labels),
            *rule_warnings.find_unpriced_metrics(metrics_path, placed, labels),
        ]
        for warning in warnings:
            self.app.note(f"warning: {warning}")
        comparison = f"compared with {metrics_path}" if labels else "not compared with metrics.yml"
        counts = f"{count_text(len(placed), 'rule')}, {count_text(len(warnings), 'warning')}"
        self.print_line(f"{counts}, {comparison}")
        return startup.FAILED if warnings and parsed_args.strict else 0

    def _find_metrics(self, path: str | None) -> tuple[str | None, str]:
        """Return the path of the metrics.yml to compare with, and the scope key."""
        if self.app.has_conf():
            section = self.app.load_conf().collect
            return path or section.metrics_conf, section.scope_key
        from ratekit.conf import collect

        defaults = {option.dest: option.default for option in collect.OPTS}
        return path, defaults["scope_key"]


class HashmapExport(command_types.Action):
    """Write the price rules that are in force now or later as a file.

    The file has the format of hashmap apply; applying it unchanged changes nothing.
    """

    arguments = " [FILE]"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="file to create; default: standard output"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Write the rules."""
        from ratekit.files import rules_file

        store = self.app.open_storage(self.app.load_conf()).rules
        text = rules_file.render(hashmap.export(store, self.app.clock()))
        if parsed_args.file is None:
            # A letter that the terminal lacks would be another rule when the file is applied.
            self.app.stdout.buffer.write(text.encode())
            return 0
        try:
            # Never overwrites: the file of an operator may have comments.
            with open(parsed_args.file, "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise errors.OperatorError(
                f"{parsed_args.file}: cannot be written: {error.strerror}"
            ) from None
        return 0
