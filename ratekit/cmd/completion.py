"""ratekit complete: the script with which bash completes commands and options."""

from __future__ import annotations

import argparse

from cliff import complete


class Complete(complete.CompleteCommand):
    """Print a script that completes commands and options in bash: ``source <(ratekit complete)``.

    cliff's own command loses the commands below one that can be run itself, as ``reprocess`` can.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the script."""
        words_by_prefix: dict[tuple[str, ...], list[str]] = {}
        options: dict[tuple[str, ...], list[str]] = {}
        for name, _ in sorted(self.app.command_manager):
            words = tuple(name.split())
            for index, word in enumerate(words):
                siblings = words_by_prefix.setdefault(words[:index], [])
                siblings += [word] if word not in siblings else []
            actions = self.get_actions(list(words))
            options[words] = [text for action in actions for text in action.option_strings]
        shell = self._formatters[parsed_args.shell].plugin
        # The script completes options only where the first word is one: commands come first.
        lines = [
            ("_".join(words), " ".join(words_by_prefix.get(words, []) + options.get(words, [])))
            for words in sorted({*words_by_prefix, *options} - {()})
        ]
        writer = shell(parsed_args.name or self.app.NAME, self.app.stdout)
        writer.write(" ".join(words_by_prefix[()]), lines)
        return 0
