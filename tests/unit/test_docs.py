"""The documentation names what exists: messages, commands, options, files and tests."""

from __future__ import annotations

import ast
import csv
import datetime
import functools
import pathlib
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from cliff.commandmanager import CommandManager

from ratekit.cmd import dbsync
from ratekit.domain import exact
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Series, Shared
from ratekit.files import rules_file
from ratekit.rating.hashmap import Hashmap

ROOT = pathlib.Path(__file__).parents[2]
DOC = ROOT / "doc"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOC.glob("*.rst"))}
TEXTS = PAGES | {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*.rst"))}
#: Pages about programs other than ratekit too, whose options it does not have.
FOREIGN = {"cloudkitty", "release-notes"}
NEEDED = (
    *(
        "index",
        "quickstart",
        "install",
        "cloudkitty",
        "operating",
        "cookbook",
        "troubleshooting",
        "security",
    ),
    *("sizing", "configuration", "metrics", "rules", "cli", "arithmetic", "glossary"),
    *("release-notes", "architecture", "collector", "fetcher", "rating-module", "migration"),
)


def blocks(text: str, language: str) -> list[str]:
    """Return the contents of the code blocks of a language."""
    pattern = rf"^( *)\.\. code-block:: {language}\n((?:\1 +:.*\n)*)\n((?:(?:\1 +.*)?\n)+)"
    return [match[3] for match in re.finditer(pattern, text, re.MULTILINE)]


@functools.cache
def sources() -> dict[pathlib.Path, str]:
    """Return the text of each module of ratekit."""
    return {path: path.read_text(encoding="utf-8") for path in (ROOT / "ratekit").rglob("*.py")}


# Pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", NEEDED)
def test_a_page_exists_and_is_in_the_table_of_contents(page: str) -> None:
    assert page in PAGES
    assert page == "index" or re.search(rf"^   {page}$", PAGES["index"], re.MULTILINE)


def test_links_from_the_readme_resolve() -> None:
    targets = re.findall(r"<([^<>:]+\.rst)>`_", TEXTS["README.rst"])
    assert len(targets) > len(NEEDED) // 2
    assert [target for target in targets if not (ROOT / target).is_file()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_paths_of_the_source_tree_exist(page: str) -> None:
    named = re.findall(
        r"``((?:ratekit|tests|etc|tools|doc|releasenotes)/[\w./-]*\w)``", TEXTS[page]
    )
    # The build's output is not in a fresh clone.
    source_paths = [path for path in named if not path.startswith("doc/_build")]
    assert [path for path in source_paths if not (ROOT / path).exists()] == []


def test_pages_that_the_code_cites_exist() -> None:
    cited = {name for text in sources().values() for name in re.findall(r"doc/([\w-]+)\.rst", text)}
    assert cited <= PAGES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_classes_exist(page: str) -> None:
    named = set(re.findall(r"``([A-Z][a-z]+[A-Z]\w+|[A-Z][a-z]{4,})``", PAGES[page]))
    defined = {name for text in sources().values() for name in re.findall(r"class (\w+)", text)}
    assert named - {"Decimal"} <= defined


@pytest.mark.parametrize("page", sorted(PAGES.keys() - FOREIGN))
def test_options_exist(page: str) -> None:
    sample = (ROOT / "etc/ratekit/ratekit.conf.sample").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", sample, re.MULTILINE | re.DOTALL))
    named = re.findall(r"``\[(\w+)\] (\w+)", PAGES[page])
    unknown = [
        f"[{section}] {option}"
        for section, option in named
        if not re.search(rf"^#{option} =", sections.get(section, ""), re.MULTILINE)
        and section not in ("collector_flatfile", "ratekit_auth")
    ]
    assert unknown == []


# Architecture and glossary ------------------------------------------------------------------


def promises() -> list[str]:
    """Return the text of each promise of the architecture page."""
    text = PAGES["architecture"]
    section = text[text.index("Promises, and the tests that guard them") :]
    section = section[: section.index("\nStorage\n")]
    return re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]


def test_every_promise_names_tests() -> None:
    assert len(promises()) == 13
    for promise in promises():
        tests = re.findall(r"``(tests/[\w/]+\.py)``", promise.partition("Tests:")[2])
        assert tests, promise
        for test in tests:
            assert "def test_" in (ROOT / test).read_text(encoding="utf-8"), test


def terms() -> list[str]:
    """Return the words of the glossary."""
    return re.findall(r"^   (\w[\w -]*)$", PAGES["glossary"], re.MULTILINE)


def test_the_glossary_has_each_word_once() -> None:
    assert len(terms()) > 40
    assert len(terms()) == len({term.lower() for term in terms()})


@pytest.mark.parametrize("term", terms())
def test_the_code_uses_the_word(term: str) -> None:
    pattern = re.compile(r"[ _\n-]?".join(term.split()), re.IGNORECASE)
    assert any(pattern.search(text) for text in sources().values())


# Commands -----------------------------------------------------------------------------------


def shell_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of ratekit in shell blocks."""
    for block in blocks(text, "shell"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].startswith("ratekit"):
                yield words


def without_global_options(words: list[str]) -> list[str]:
    return words[2:] if words[:1] == ["--config-file"] else words


@pytest.mark.parametrize("page", TEXTS)
def test_commands_in_shell_blocks_parse(page: str) -> None:
    manager = CommandManager("ratekit.cli")
    for program, *words in shell_commands(TEXTS[page]):
        arguments = without_global_options(words)
        if program == "ratekit":
            command: Any
            command, name, options = manager.find_command(arguments)
            command(None, None).get_parser(name).parse_args(options)
        elif program == "ratekit-dbsync":
            dbsync.build_parser().parse_args(arguments)
        else:
            assert program == "ratekit-processor"
            assert set(arguments) <= {"--once", "--allow-expired"}


@pytest.mark.parametrize("page", TEXTS)
def test_commands_in_sentences_exist(page: str) -> None:
    names = [name for name, _ in CommandManager("ratekit.cli")]
    for command in re.findall(r"``ratekit ([a-z][^`]*)``", TEXTS[page]):
        words = command.split()
        assert any(words[: len(name.split())] == name.split() for name in names) or any(
            name.startswith(f"{command} ") for name in names
        ), command


# Messages -----------------------------------------------------------------------------------

#: What the code computes, in a template.
COMPUTED = "\0"
_FORMAT = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.\d+)?[sdrgfi]|\{[^{}]*\}")
#: What may stand for it on the page: <words>, quoted or not, or nothing.
_PLACEHOLDER = r"(?:'?<[^<>]+>'?)?"


def templates(tree: ast.AST) -> Iterator[str]:
    """Yield each text of a module, with COMPUTED in place of what is computed."""
    for node in ast.walk(tree):
        text = template(node)
        if text is not None and text.strip(COMPUTED):
            yield text


def template(node: ast.AST) -> str | None:
    """Return the text that an expression makes; None: it makes none."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(template(part) or COMPUTED for part in parts)
        case ast.BinOp(left=first, op=ast.Add(), right=second):
            texts = template(first), template(second)
            return None if texts == (None, None) else "".join(text or COMPUTED for text in texts)
    return None


@functools.cache
def patterns() -> list[list[re.Pattern[str]]]:
    """Return, for each module, what matches the texts that it makes."""
    results = []
    for source in sources().values():
        fragments = [
            _FORMAT.sub(COMPUTED, " ".join(text.split())).split(COMPUTED)
            for text in {*templates(ast.parse(source))}
        ]
        results.append(
            [
                re.compile(_PLACEHOLDER.join(map(re.escape, parts)))
                for parts in fragments
                # A text of a few letters, such as a separator, is no message.
                if len("".join(parts)) >= 8
            ]
        )
    return results


def can_say(message: str) -> bool:
    """Return whether the texts of one module, one after the other, make the message."""
    return any(is_made_of(message, texts) for texts in patterns())


def is_made_of(message: str, texts: list[re.Pattern[str]]) -> bool:
    matches = (text.match(message) for text in texts)
    ends = {match.end() for match in matches if match is not None}
    return any(end == len(message) or is_made_of(message[end:], texts) for end in ends if end)


def messages() -> list[str]:
    """Return the messages of the troubleshooting page."""
    return [" ".join(block.split()) for block in blocks(PAGES["troubleshooting"], "text")]


def test_enough_messages_are_explained() -> None:
    assert len(messages()) >= 30
    assert len(messages()) == len(set(messages()))


@pytest.mark.parametrize("message", messages())
def test_the_code_can_say_the_message(message: str) -> None:
    assert can_say(message)


@pytest.mark.parametrize(
    "message", ["the moon is made of cheese", "unknown plug-in <name>, said a stranger", "<x>"]
)
def test_a_message_that_the_code_cannot_say_is_noticed(message: str) -> None:
    assert not can_say(message)


# Arithmetic ---------------------------------------------------------------------------------


def test_prices_of_the_worked_examples_are_those_that_the_code_charges() -> None:
    folder = DOC / "examples/arithmetic"
    book = RuleBook(1, tuple(rules_file.read(str(folder / "hashmap.yml"))))
    price = Hashmap.from_conf(None).compile(book)
    begin = datetime.datetime(2026, 11, 20, 14, tzinfo=datetime.UTC)
    with open(folder / "quotes.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for row in rows:
        labels: dict[str, str | None] = {}
        for label in row["Labels"].split():
            name, _, value = label.partition("=")
            labels[name] = value
        points = [(begin, Decimal(row["Quantity"]))]
        shared = {}
        if row["Share"]:
            shared[begin] = Shared(Decimal(row["Whole"]), Decimal(row["Share"]))
        series = Series(row["Scope"], row["Service"], "unit", {}, labels, points, shared)
        assert price(series, [exact.ZERO]) == [Decimal(row["Price"])], row
