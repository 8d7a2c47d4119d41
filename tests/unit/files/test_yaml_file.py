"""YAML as operators write it: numbers keep their digits, mistakes have their line."""

import os
import pathlib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from ratekit import errors
from ratekit.files import yaml_file
from ratekit.files.yaml_file import Document

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes a file and returns its relative path."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str) -> str:
        pathlib.Path("file.yml").write_text(text, encoding="utf-8")
        return "file.yml"

    return write_file


@pytest.fixture
def read(write: Write) -> Callable[[str], Document]:
    return lambda text: yaml_file.read(write(text))


@pytest.fixture
def data(write: Write) -> Callable[[str], Any]:
    return lambda text: yaml_file.read(write(text)).data


@pytest.fixture
def message(write: Write) -> Callable[[str], str]:
    def read_message(text: str) -> str:
        with pytest.raises(errors.BadInput) as caught:
            yaml_file.read(write(text)).raise_mistakes([])
        return str(caught.value)

    return read_message


# Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "digits",
    ["0.020", "0.1", "1.0", ".5", "5.", "-0.25", "+1.5", "1.5e-7", "0.1234567890123456789"],
)
def test_a_decimal_keeps_its_digits(data: Callable[[str], Any], digits: str) -> None:
    value = data(f"cost: {digits}")["cost"]
    assert isinstance(value, Decimal)
    assert value == Decimal(digits)
    assert value.as_tuple() == Decimal(digits).as_tuple()


@pytest.mark.parametrize("text", ["010", "1:30", "0x10", "0b11", "1_000", "1e3", ".inf", ".nan"])
def test_an_irregular_number_stays_text(data: Callable[[str], Any], text: str) -> None:
    assert data(f"cost: {text}") == {"cost": text}


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T12:00:00Z"])
def test_a_date_stays_text(data: Callable[[str], Any], text: str) -> None:
    assert data(f"start: {text}") == {"start": text}


def test_the_other_plain_values(data: Callable[[str], Any]) -> None:
    assert data("{a: 0, b: -12, c: yes, d: no, e: ~, f: , g: x, h: '5', i: [1, {j: k}]}") == {
        "a": 0, "b": -12, "c": True, "d": False, "e": None, "f": None, "g": "x", "h": "5",
        "i": [1, {"j": "k"}],
    }  # fmt: skip


def test_an_empty_file_is_nothing(data: Callable[[str], Any]) -> None:
    assert data("") is None
    assert data("# only a comment\n") is None


def test_a_key_is_text_whatever_it_looks_like(data: Callable[[str], Any]) -> None:
    assert data("{1: a, 2.50: b, yes: c}") == {"1": "a", "2.50": "b", "yes": "c"}


def test_no_tag_makes_objects(data: Callable[[str], Any]) -> None:
    assert data("a: !!python/object/apply:os.getcwd []") == {"a": []}
    assert data("a: !!bool perhaps") == {"a": "perhaps"}
    assert data("a: !!int twelve") == {"a": "twelve"}


def test_text_with_a_byte_order_mark_is_read(data: Callable[[str], Any]) -> None:
    assert data("\ufeffa: 1") == {"a": 1}


# Lines ------------------------------------------------------------------------------------

NESTED = """\
metrics:
  cpu:
    unit: u
    groupby:
      - id
      - project_id

  disk: {unit: v,
         groupby: [id,
                   name]}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1), (("metrics",), 1), (("metrics", "cpu"), 2), (("metrics", "cpu", "unit"), 3),
        (("metrics", "cpu", "groupby"), 4), (("metrics", "cpu", "groupby", 0), 5),
        (("metrics", "cpu", "groupby", 1), 6), (("metrics", "disk"), 8),
        (("metrics", "disk", "groupby"), 9), (("metrics", "disk", "groupby", 1), 10),
        (("metrics", "cpu", "lacking"), 2), (("metrics", "cpu", "groupby", 7), 4),
    ],
)  # fmt: skip
def test_each_place_has_the_line_of_its_key(
    read: Callable[[str], Document], path: yaml_file.Path, line: int
) -> None:
    assert read(NESTED).line(path) == line


def test_a_mistake_names_file_line_and_place(read: Callable[[str], Document]) -> None:
    mistake = read(NESTED).mistake(("metrics", "cpu", "groupby", 1), "is wrong")
    assert str(mistake) == "file.yml:6: metrics.cpu.groupby[1]: is wrong"


def test_a_mistake_in_an_empty_file_has_no_line(read: Callable[[str], Document]) -> None:
    assert str(read("").mistake((), "is empty")) == "file.yml: is empty"


# Merge keys and aliases ---------------------------------------------------------------------

MERGED = """\
base: &base
  unit: u
  groupby:
    - id
second: &second {unit: w, extra: 1}
cpu:
  unit: z
  <<: *base
  groupby:
    - name
both:
  <<: [*base, *second]
"""


def test_other_keys_override_merged_ones_in_any_order(
    data: Callable[[str], Any],
) -> None:
    assert data(MERGED)["cpu"] == {"unit": "z", "groupby": ["name"]}


def test_of_several_merged_mappings_the_first_takes_precedence(data: Callable[[str], Any]) -> None:
    assert data(MERGED)["both"] == {"unit": "u", "groupby": ["id"], "extra": 1}


def test_a_merged_key_has_the_line_where_it_was_written(read: Callable[[str], Document]) -> None:
    document = read(MERGED)
    assert document.line(("both", "unit")) == 2
    assert document.line(("both", "extra")) == 5
    assert document.line(("cpu", "unit")) == 7
    assert document.line(("cpu", "groupby", 0)) == 10


def test_an_alias_may_be_used_twice(data: Callable[[str], Any]) -> None:
    assert data("{a: &a [1], b: *a, c: *a}") == {"a": [1], "b": [1], "c": [1]}


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: &a [*a]", "a[0]"), ("a: &a {b: *a}", "a.b"), ("a: &a {<<: *a}", "a")],
)
def test_a_value_must_not_contain_itself(
    message: Callable[[str], str], text: str, place: str
) -> None:
    assert f"file.yml:1: {place}: must not contain itself" in message(text).splitlines()


def test_a_merge_key_needs_a_mapping(message: Callable[[str], str]) -> None:
    assert message("a:\n  <<: 5\n") == "file.yml:2: a: expected a mapping after <<"


# Files that cannot be read ------------------------------------------------------------------


def test_all_duplicate_keys_are_reported(
    message: Callable[[str], str],
) -> None:
    assert message("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n").splitlines() == [
        "file.yml:4: b.c: duplicate key",
        "file.yml:5: a: duplicate key",
    ]


def test_a_key_that_is_not_plain_text_is_rejected(message: Callable[[str], str]) -> None:
    assert message("a:\n  ? [b]\n  : 1\n") == "file.yml:2: a: keys must be plain text"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "file.yml:1: is not YAML: "),
        ("a: 1\n b: 2\n", "file.yml:2: is not YAML: mapping values are not allowed"),
        ("a:\n\tb: 1\n", "file.yml:2: is not YAML: found character"),
        ("a: *b\n", "file.yml:1: is not YAML: undefined alias 'b'"),
        ("a: 1\n---\nb: 2\n", "file.yml:2: contains a second document; expected one"),
        ('a: "\x00"', "file.yml: is not YAML: unacceptable character #x0000"),
    ],
)
def test_invalid_yaml_is_reported_in_one_line(
    message: Callable[[str], str], text: str, expected: str
) -> None:
    # The words after the line are those of the library that PyYAML was built with.
    (line,) = message(text).splitlines()
    assert line.startswith(expected)


def test_a_file_that_is_not_utf8_is_rejected(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "latin.yml"
    path.write_bytes("unit: Stück".encode("latin-1"))
    with pytest.raises(errors.BadInput) as caught:
        yaml_file.read(str(path))
    assert str(caught.value) == f"{path}: is not UTF-8 text: invalid start byte at byte 9"


def test_a_missing_file_is_rejected(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.BadInput) as caught:
        yaml_file.read(str(tmp_path / "none.yml"))
    assert str(caught.value) == f"{tmp_path}/none.yml: cannot be read: No such file or directory"


def test_a_folder_is_rejected(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.BadInput) as caught:
        yaml_file.read(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


# Files that would take minutes or all memory --------------------------------------------------

#: Nine levels of nine aliases each: 400 million values.
BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


def test_the_values_of_aliases_are_counted_where_they_are_used(
    message: Callable[[str], str],
) -> None:
    assert message(BOMB) == (
        "file.yml:8: has more than 2,000,000 values; each use of an alias counts"
    )


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_deep_nesting_is_rejected_with_its_line(
    message: Callable[[str], str], bracket: str
) -> None:
    text = "\n" + bracket * 900
    assert message(text) == "file.yml:2: is nested too deeply; at most 50 levels are read"


def test_nesting_without_an_end_is_rejected_in_one_line(message: Callable[[str], str]) -> None:
    assert re.fullmatch(r"file\.yml:1: .*nest.*", message("[" * 1_000_000))


def test_a_large_file_is_rejected(message: Callable[[str], str]) -> None:
    assert message(f"a: {'x' * 50_000_000}") == "file.yml: is larger than 16 MiB"


def test_a_device_without_an_end_is_rejected() -> None:
    with pytest.raises(errors.BadInput) as caught:
        yaml_file.read("/dev/zero")
    assert str(caught.value) == "/dev/zero: is larger than 16 MiB"


def test_a_pipe_without_a_writer_is_rejected(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(errors.BadInput) as caught:
        yaml_file.read(str(path))
    assert str(caught.value) == f"{path}: is a pipe; expected a file"


@pytest.mark.parametrize("number", ["9" * 101, f"0.{'9' * 101}", f"{'9' * 101}.5", "1.0e+9999"])
def test_a_number_with_too_many_digits_stays_text(data: Callable[[str], Any], number: str) -> None:
    assert data(f"cost: {number}") == {"cost": number}


def test_an_override_of_a_merged_value_keeps_the_lines_of_all_others(
    read: Callable[[str], Document],
) -> None:
    """Lines of what was replaced are dropped, those of its neighbours stay."""
    document = read("b: &b {k: [1, {l: 2}], m: 3}\nc:\n  <<: *b\n  k: 5\n")
    inside = {path: line for path, line in document.lines.items() if path[:1] == ("c",)}
    assert inside == {("c",): 2, ("c", "k"): 4, ("c", "m"): 1}


# Validation ---------------------------------------------------------------------------------


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    cost: Decimal = Decimal(0)
    names: list[str] = []
    often: int = 1
    really: bool = True


ADAPTER = pydantic.TypeAdapter(dict[str, Inner])


def validate(document: Document, hints: Mapping[str, str] | None = None) -> None:
    _, mistakes = yaml_file.validate(document, (), document.data, ADAPTER, hints)
    document.raise_mistakes(mistakes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {cots: 1}", "file.yml:1: a.cots: unknown key (did you mean 'cost'?)"),
        ("a: {zebra: 1}", "file.yml:1: a.zebra: unknown key"),
        ("a: {old: 1}", "file.yml:1: a.old: is no longer supported"),
        ("a: 5", "file.yml:1: a: expected a mapping (key: value), not 5"),
        ("", "file.yml: expected a mapping (key: value), not nothing"),
        ("a: {names: x}", "file.yml:1: a.names: expected a list, not 'x'"),
        ("a: {names: [x,\n 0.50]}", "file.yml:2: a.names[1]: expected a string, not 0.50"),
        ("a: {names: [no]}", "file.yml:1: a.names[0]: expected a string, not false"),
        ("a: {often: x}", "file.yml:1: a.often: expected a whole number, not 'x'"),
        ("a: {often: }", "file.yml:1: a.often: expected a whole number, not nothing"),
        ("a: {often: 1.5}", "file.yml:1: a.often: expected a whole number, not 1.5"),
        ("a: {really: 7}", "file.yml:1: a.really: expected true or false, not 7"),
        (
            f"a: {{names: {'x' * 100}}}",
            f"file.yml:1: a.names: expected a list, not '{'x' * 56}...",
        ),
    ],
)
def test_each_mistake_is_one_line_with_what_is_expected(
    read: Callable[[str], Document], text: str, message: str
) -> None:
    with pytest.raises(errors.BadInput) as caught:
        validate(read(text), {"old": "is no longer supported"})
    assert str(caught.value) == message


def test_all_mistakes_are_reported_in_the_order_of_their_lines(
    read: Callable[[str], Document],
) -> None:
    document = read("b:\n  often: x\n  cots: 1\na:\n  names: 5\n")
    with pytest.raises(errors.BadInput) as caught:
        validate(document)
    assert [mistake.line for mistake in caught.value.mistakes] == [2, 3, 5]
