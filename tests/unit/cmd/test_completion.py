"""ratekit complete: what bash offers."""

from __future__ import annotations

import subprocess

import pytest

from tests.unit.cmd.conftest import Shell

#: What the package bash-completion has, so far as the script needs it.
LIBRARY = """
_get_comp_words_by_ref() {
    words=("${COMP_WORDS[@]}") cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
}
"""


@pytest.mark.parametrize(
    ("line", "offered", "refused"),
    [
        ("ratekit rep", {"reprocess"}, {"reprocess_list"}),
        ("ratekit sam", {"sample-config"}, {"sample"}),
        ("ratekit reprocess ", {"list", "show", "cancel", "--scope", "--dry-run"}, set()),
        ("ratekit reprocess sh", {"show"}, {"list"}),
        ("ratekit reprocess --r", {"--reason", "--rates-only"}, {"list"}),
        ("ratekit reprocess list --a", {"--all"}, {"--all-scopes"}),
        ("ratekit sample-config --f", {"--force"}, set()),
        ("ratekit scope ", {"list", "show", "reset"}, {"--all"}),
        ("ratekit summary --mo", {"--month"}, set()),
    ],
)
def test_commands_and_options_are_completed(
    line: str, offered: set[str], refused: set[str], ratekit: Shell
) -> None:
    script = ratekit("complete").out
    words = " ".join(f"'{word}'" for word in line.split(" "))
    bash = subprocess.run(
        ["bash", "-c", f'{LIBRARY}{script}COMP_WORDS=({words}) COMP_CWORD={line.count(" ")}\n'
         '_ratekit; printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert bash.stderr == ""
    answers = set(bash.stdout.split())
    assert offered <= answers
    assert not refused & answers
