"""ratekit hashmap: apply and export."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, Terminal

RULES = """
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: "0.020", type: flat, group: uptime}
          - {value: m1.large, cost: "0.08", type: flat, group: uptime}
  volume:
    thresholds: [{level: "1000", cost: "0.9", type: flat}]
"""
DEARER = RULES.replace("0.020", "0.025").replace(
    '          - {value: m1.large, cost: "0.08", type: flat, group: uptime}\n', ""
)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file."""
    path = tmp_path / "hashmap.yml"
    path.write_text(RULES)
    return path


def test_the_first_rules_reach_back_for_ever(ratekit: Shell, file: pathlib.Path) -> None:
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    assert (answer.code, answer.err) == (0, "")
    assert sorted(answer.out.splitlines()) == [
        "  0 rules unchanged",
        "+ instance.flavor_name=m1.large flat 0.08 group uptime",
        "+ instance.flavor_name=m1.small flat 0.02 group uptime",
        "+ volume>=1000 flat 0.9",
        "done: 3 added, 0 closed; the rules are at version 1",
        "prices change from the beginning:",
    ]


def test_once_something_is_rated_new_prices_begin_with_the_next_period(
    ratekit: Shell, file: pathlib.Path, usage: None
) -> None:
    ratekit("hashmap", "apply", str(file), "--yes")
    file.write_text(DEARER)
    ratekit.now = given.hour(40.5)
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    since = "from 2026-03-02T13:00:00Z"
    assert answer.out.splitlines() == [
        "prices change from 2026-03-02T17:00:00Z:",
        f"- instance.flavor_name=m1.small flat 0.02 group uptime {since}"
        " until 2026-03-02T17:00:00Z",
        "+ instance.flavor_name=m1.small flat 0.025 group uptime from 2026-03-02T17:00:00Z",
        f"- instance.flavor_name=m1.large flat 0.08 group uptime {since}"
        " until 2026-03-02T17:00:00Z",
        "  1 rule unchanged",
        "done: 1 added, 2 closed; the rules are at version 2",
    ]


def test_a_rule_that_is_closed_before_its_start_was_never_in_force(
    ratekit: Shell, file: pathlib.Path
) -> None:
    file.write_text('services: {a: {mappings: [{cost: 1, type: flat, start: "2027-01-01"}]}}')
    ratekit("hashmap", "apply", str(file), "--yes")
    file.write_text("services: {}")
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    assert answer.out.splitlines()[:2] == [
        "prices change from 2027-01-01T00:00:00Z:",
        "- a flat 1 from 2027-01-01T00:00:00Z (withdrawn before its start)",
    ]
    assert ratekit("hashmap", "export").out == "services: {}\n"


def test_applying_the_rules_in_force_does_nothing(ratekit: Shell, file: pathlib.Path) -> None:
    ratekit("hashmap", "apply", str(file), "--yes")
    answer = ratekit("hashmap", "apply", str(file))
    assert (answer.code, answer.out, answer.err) == (
        0,
        "nothing to do: 3 rules already in force\n",
        "",
    )


def test_on_a_terminal_it_asks(ratekit: Shell, file: pathlib.Path, storage: Storage) -> None:
    for refusal in ("n\n", "\n", ""):
        answer = ratekit("hashmap", "apply", str(file), typed=refusal)
        assert answer.code == 1
        assert answer.out.endswith("Make these changes? [y/N] nothing was changed\n")
    assert storage.rules.read().version == 0
    answer = ratekit("hashmap", "apply", str(file), typed="y\n")
    assert answer.code == 0
    assert storage.rules.read().version == 1


def test_the_second_of_two_operators_at_the_same_time_is_refused(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    class Slow(Terminal):
        """A terminal whose user answers after another operator has applied a file."""

        def isatty(self) -> bool:
            """Return True; the plan has been made."""
            storage.rules.change(0, [], [], given.note())
            return True

    answer = ratekit("hashmap", "apply", str(file), stdin=Slow("y\n"))
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "version 0" in answer.err
    assert storage.rules.read().rules == ()
    assert [record.version for record in storage.rules.records()] == [1]


def test_without_a_terminal_it_needs_yes(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    answer = ratekit("hashmap", "apply", str(file))
    assert answer.code == 2
    assert answer.err == (
        "ratekit: nothing was changed: confirmation needs a terminal; use --yes to confirm\n"
    )
    assert storage.rules.read().version == 0


def test_every_mistake_in_the_file_is_a_line(ratekit: Shell, file: pathlib.Path) -> None:
    file.write_text(RULES.replace('"0.020"', "cheap").replace("flat}", "flt}"))
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    assert answer.code == 2
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == [
        f"{file}:7",
        f"{file}:10",
    ]
    answer = ratekit("hashmap", "apply", str(file.with_name("none.yml")))
    assert answer.code == 2
    assert answer.err.count("\n") == 1


def test_a_change_of_final_prices_is_rejected_in_one_line(
    ratekit: Shell, file: pathlib.Path, usage: None
) -> None:
    file.write_text('services: {a: {mappings: [{cost: 1, type: flat, start: "2026-03-01"}]}}')
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    assert answer.code == 2
    assert answer.err.startswith("ratekit: a flat 1 from 2026-03-01T00:00:00Z: ")
    assert answer.err.count("\n") == 1
    assert "2026-03-02T13:00:00Z" in answer.err
    assert "--retroactive" in answer.err


def test_rules_that_charge_nothing_are_warnings_and_applied(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    metrics = file.with_name("metrics.yml")
    metrics.write_text(
        "metrics:\n"
        "  cpu: {alt_name: instance, metadata: [flavor], extra_args: {resource_key: name}}\n"
        "  volumes: {unit: GiB}\n"
    )
    file.write_text(
        "services:\n"
        "  volume:\n"
        "    mappings:\n"
        "      - {cost: 1, type: flat}\n"
        "      - {cost: 1, type: flat, group: g}\n"
        "  volumes:\n"
        "    mappings:\n"
        "      - {cost: -1, type: flat, group: g}\n"
        "      - {cost: 2, type: rate, group: h}\n"
        "    thresholds: [{level: 1, cost: -1, type: rate, group: g}]\n"
        "  instance:\n"
        "    fields:\n"
        "      flavour:\n"
        "        mappings: [{value: a, cost: 1, type: flat}, {value: b, cost: 1, type: flat}]\n"
        "      flavor:\n"
        "        mappings: [{value: a, cost: 1, type: flat}]\n"
        "      project_id:\n"
        "        mappings: [{value: a, cost: 1, type: flat}]\n"
        "      name:\n"
        "        mappings: [{value: a, cost: 1, type: flat}]\n"
        "      month:\n"
        "        thresholds: [{level: 6, cost: 1, type: flat}]\n"
    )
    answer = ratekit("hashmap", "apply", str(file), "--yes", "--allow-unknown")
    assert answer.code == 0
    prefix = f"ratekit: warning: {file}:"
    lines = [line.removeprefix(prefix) for line in answer.err.splitlines()]
    assert [line.split(": ")[:2] for line in lines] == [
        ["4", "services.volume.mappings[0]"],
        ["8", "services.volumes.mappings[0]"],
        ["9", "services.volumes.mappings[1]"],
        ["10", "services.volumes.thresholds[0]"],
        ["14", "services.instance.fields.flavour.mappings[0]"],
    ]
    assert f"{metrics} is named 'volume' (did you mean 'volumes'?)" in lines[0]
    assert f"'flavour' in {metrics} (did you mean 'flavor'?)" in lines[-1]
    assert storage.rules.read().version == 1


METRICS = """
metrics:
  cpu: {alt_name: instance, unit: instance, metadata: [flavor_name], extra_args: {}}
  volume: {unit: GiB, extra_args: {}}
"""
TYPING_MISTAKES = """
services:
  instnce:
    mappings: [{cost: 1, type: flat}, {cost: 1, type: flat, group: g}]
  instance:
    fields:
      flavour_name: {mappings: [{value: a, cost: 1, type: flat}]}
      day_of_the_year: {mappings: [{value: 1, cost: 1, type: flat}]}
      flavor_name: {mappings: [{value: a, cost: 1, type: flat}]}
"""


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")], ids=" ".join)
def test_a_typing_mistake_that_would_charge_nothing_is_refused(
    ratekit: Shell, file: pathlib.Path, storage: Storage, command: tuple[str, ...]
) -> None:
    metrics = file.with_name("metrics.yml")
    metrics.write_text(METRICS)
    file.write_text(TYPING_MISTAKES)
    answer = ratekit("hashmap", *command, str(file))
    assert (answer.code, answer.out) == (2, "")
    service, field = answer.err.splitlines()
    assert service.startswith(f"ratekit: {file}:4: services.instnce.mappings[0]: ")
    assert f"{metrics} is named 'instnce' (did you mean 'instance'?)" in service
    place = f"ratekit: {file}:7: services.instance.fields.flavour_name.mappings[0]: "
    assert field.startswith(place)
    assert f"'flavour_name' in {metrics} (did you mean 'flavor_name'?)" in field
    for line in (service, field):
        assert line.endswith("; use --allow-unknown to accept them")
    assert storage.rules.read().version == 0
    assert ratekit("hashmap", *command, "--allow-unknown", str(file)).code == 0


def test_labels_of_frames_and_of_existing_rules_are_accepted(
    ratekit: Shell, file: pathlib.Path, usage: None
) -> None:
    file.with_name("metrics.yml").write_text("metrics:\n  cpu: {unit: s, extra_args: {}}\n")
    retired = """
services:
  instance: {fields: {image: {mappings: [{value: a, cost: 1, type: flat}]}}}
"""
    file.write_text(retired)
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
    extended = f"{retired}  volumes: {{mappings: [{{cost: 1, type: flat}}]}}\n"
    file.write_text(extended)
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 2
    assert ratekit("hashmap", "apply", "--yes", "--allow-unknown", str(file)).code == 0
    file.write_text(extended.replace("cost: 1", "cost: 2"))
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")], ids=" ".join)
@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("services: {}", "from 2026-03-02T13:00:00Z"),
        (RULES[: RULES.index("  volume")], None),
        (
            RULES[: RULES.index("    fields")]
            + "    mappings: [{cost: 1, type: flat, start: 2026-04-01}]\n",
            "from 2026-03-02T13:00:00Z until 2026-04-01T00:00:00Z",
        ),
        (
            RULES[: RULES.index("    fields")]
            + "    mappings: [{cost: 1, type: flat, end: 2026-04-01}]\n",
            "from 2026-04-01T00:00:00Z",
        ),
    ],
    ids=["nothing", "no usage", "later", "not for ever"],
)
def test_a_rated_service_is_not_left_without_a_rule(
    ratekit: Shell,
    file: pathlib.Path,
    storage: Storage,
    text: str,
    when: str | None,
    command: tuple[str, ...],
) -> None:
    ratekit("hashmap", "apply", "--yes", str(file))
    (state,) = given.list_scopes(storage, "a1")
    rated = given.build_series("a1", [("1", "0.1")])
    storage.ledger.commit(given.batch([state], rated, rules=storage.rules.read().version))
    file.write_text(text)
    answer = ratekit("hashmap", *command, str(file))
    if when is None:
        assert (answer.code, answer.err) == (0, "")
        return
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"ratekit: instance has been rated, but would cost nothing {when}: keep a rule for it, or "
        "use --allow-free\n"
    )
    assert ratekit("hashmap", *command, "--allow-free", str(file)).code == 0


def test_without_a_metrics_file_no_name_is_refused(ratekit: Shell, file: pathlib.Path) -> None:
    for text in (None, "metrics: [", "metrics: [a]"):
        if text is not None:
            file.with_name("metrics.yml").write_text(text)
        assert ratekit("hashmap", "apply", str(file), "--yes").err == ""


def test_an_export_is_a_rule_file_that_changes_nothing(
    ratekit: Shell, file: pathlib.Path, usage: None
) -> None:
    for text, hour in ((RULES, 36.5), (DEARER, 40.5)):
        file.write_text(text)
        ratekit.now = given.hour(hour)
        assert ratekit("hashmap", "apply", str(file), "--yes").code == 0
    copy = file.with_name("copy.yml")
    assert ratekit("hashmap", "export", str(copy)).code == 0
    assert copy.read_text() == ratekit("hashmap", "export").out
    assert "0.025" in copy.read_text()
    assert ratekit("hashmap", "apply", str(copy)).out == (
        "nothing to do: 2 rules already in force\n"
    )


def test_a_change_before_anything_is_rated_shows_no_start(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    ratekit("hashmap", "apply", str(file), "--yes")
    file.write_text(RULES.replace("0.020", "0.025"))
    answer = ratekit("hashmap", "apply", str(file), "--yes")
    assert answer.out.splitlines()[2] == ("+ instance.flavor_name=m1.small flat 0.025 group uptime")
    exported = ratekit("hashmap", "export").out
    assert "1970" not in exported
    assert "start" not in exported
    copy = file.with_name("copy.yml")
    copy.write_text(exported)
    given.list_scopes(storage, "a1")
    assert ratekit("hashmap", "apply", str(copy)).out.startswith("nothing to do: 3 rules")


def test_an_export_overwrites_nothing(ratekit: Shell, file: pathlib.Path) -> None:
    answer = ratekit("hashmap", "export", str(file))
    assert answer.code == 2
    assert answer.err == f"ratekit: {file}: cannot be written: File exists\n"
    assert file.read_text() == RULES
