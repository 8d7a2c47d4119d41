"""Values of options: every wrong one is a line that says where it is and what is expected."""

from __future__ import annotations

import pytest

from ratekit import errors
from ratekit.cmd import configuration
from tests.unit.conf.conftest import GOOD, Load, Refusals


@pytest.mark.parametrize(
    ("section", "option", "expected"),
    [
        (
            "collect",
            "period = often",
            "a whole number of seconds from 60 to 2,678,400, not 'often'",
        ),
        ("collect", "period = 59", "a whole number of seconds from 60 to 2,678,400, not '59'"),
        ("collect", "period = 1e3", "a whole number of seconds from 60 to 2,678,400, not '1e3'"),
        ("collect", "period =", "a whole number of seconds from 60 to 2,678,400, not nothing"),
        (
            "collect",
            "period = 60 # a minute",
            "a whole number of seconds from 60 to 2,678,400, not '60 # a minute'; "
            "a comment needs a line of its own",
        ),
        ("collect", "wait_periods = -1", "a whole number from 0 to 1,000, not '-1'"),
        ("collect", "start = soon", "month, now or an ISO 8601 date, not 'soon'"),
        ("collect", "scope_key =", "a value, not nothing"),
        (
            "collector_gnocchi",
            "timeout = inf",
            "a number of seconds from 0.1 to 3,600, not 'inf'",
        ),
        ("orchestrator", "batch_seconds = nan", "a number of seconds from 0.1 to 3,600, not 'nan'"),
        ("orchestrator", "batch_frames = 0", "a whole number, at least 1, not '0'"),
        ("fetcher_keystone", "ignore_rating_role = maybe", "true or false, not 'maybe'"),
        (
            "collector_gnocchi",
            "gnocchi_auth_type = keytsone",
            "one of keystone, basic, not 'keytsone' (did you mean 'keystone'?)",
        ),
        ("DEFAULT", "debug = maybe", "true or false, not 'maybe'"),
    ],
)
def test_a_wrong_value_is_a_line(
    section: str, option: str, expected: str, refusals: Refusals
) -> None:
    name = option.split(" ")[0]
    text = f"{GOOD}\n# more\n[{section}]\n{option}\n"
    line = text.count("\n")
    assert refusals(text) == [f"r.conf:{line}: [{section}] {name}: expected {expected}"]


def test_all_wrong_values_are_reported_together_in_the_order_of_the_file(
    refusals: Refusals,
) -> None:
    lines = refusals(
        "[DEFAULT]\ndebug = maybe\n[rating]\nmodules = hashmp\n[collect]\nperiod = x\nstart = y\n"
        "[fetcher]\nbackend = keystne\n[collector_gnocchi]\ntimeout = 0\n"
    )
    assert [line.partition(": ")[0] for line in lines] == [
        "r.conf:2", "r.conf:4", "r.conf:6", "r.conf:7", "r.conf:9", "r.conf:10", "r.conf:11",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("[fetcher]\nbackend = keystne", "[fetcher] backend: unknown plug-in 'keystne'"),
        ("[collect]\ncollector = gnochi", "[collect] collector: unknown plug-in 'gnochi'"),
        ("[rating]\nmodules = noop,hash", "[rating] modules: unknown plug-in 'hash'"),
    ],
)
def test_an_unknown_plugin_is_reported_with_the_option_that_names_it(
    option: str, expected: str, refusals: Refusals
) -> None:
    (line,) = refusals(f"{option}\n{GOOD}")
    assert line.startswith(f"r.conf:2: {expected}")
    assert "known: " in line


def test_a_dollar_sign_that_names_no_option_is_explained_and_not_shown(refusals: Refusals) -> None:
    assert refusals(GOOD.replace("geheim", "ge$heim")) == [
        "r.conf:9: [ratekit_auth] password: has a '$' that names no option; "
        "write '$$' for a dollar sign"
    ]
    assert refusals(GOOD.replace("geheim", "ge$$heim")) == []


def test_an_indented_option_does_not_vanish_in_the_one_before(refusals: Refusals) -> None:
    (line,) = refusals(f"[collect]\nmetrics_conf = m.yml\n  period = 60\n{GOOD}")
    assert line.startswith("r.conf:2: [collect] metrics_conf: continues in the next line")
    assert refusals(f"[fetcher_static]\nscopes = a,\n  b\n{GOOD}") == []


def test_a_wrong_value_of_the_environment_names_the_variable(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_COLLECT__PERIOD", "often")
    (line,) = refusals(GOOD)
    assert line.startswith("environment variable OS_COLLECT__PERIOD: [collect] period: expected a")
    assert line.endswith("not 'often'")


def test_a_wrong_command_line_is_short_and_2(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load(GOOD, "--perod", "60")
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "usage: ratekit-test [options]\nratekit-test: error: unrecognized arguments: --perod 60\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[fetcher]\nbackend = static\n[fetcher_static]\nscopes = ,\n",
            "r.conf:4: [fetcher_static] scopes: is empty; expected ids separated by commas",
        ),
        (
            "[rating]\nmodules = hashmap, hashmap\n",
            "r.conf:2: [rating] modules: names 'hashmap' twice: it would charge twice",
        ),
        (
            "[rating]\nmodules =\n",
            "r.conf:2: [rating] modules: expected at least one module; 'noop' charges nothing",
        ),
        (
            "[collector_gnocchi]\ngnocchi_endpoint = gnocchi:8041\n",
            "r.conf:2: [collector_gnocchi] gnocchi_endpoint: expected a URL such as "
            "http://gnocchi.example:8041",
        ),
        (
            "[database]\nconnection = postgresql://joe:p@geheim@host/db\n",
            "r.conf:2: [database] connection: has an '@' in its user name or password; write it "
            "as %40",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_reported(
    text: str, expected: str, refusals: Refusals
) -> None:
    assert refusals(text + GOOD) == [expected]


def test_basic_authentication_needs_an_endpoint_and_a_user(refusals: Refusals) -> None:
    text = GOOD.replace("[collector_gnocchi]\n", "[collector_gnocchi]\ngnocchi_auth_type = basic\n")
    assert refusals(text) == [
        f"r.conf:3: [collector_gnocchi] {name}: is required by gnocchi_auth_type = basic"
        for name in ("gnocchi_endpoint", "gnocchi_user")
    ]


def test_commands_that_do_not_rate_need_no_credentials(refusals: Refusals) -> None:
    assert refusals("[database]\nconnection = sqlite:////x\n") != []
    conf = configuration.load("ratekit-test", ["--config-file", "r.conf"])
    assert conf.database.connection == "sqlite:////x"


def test_a_configuration_can_be_loaded_again_when_the_file_has_changed(load: Load) -> None:
    assert load(GOOD).collect.period == 3600
    with pytest.raises(errors.BadInput):
        load(f"[collect]\nperiod = 1\n{GOOD}")
    assert load(f"[collect]\nperiod = 7200\n{GOOD}").collect.period == 7200


def test_a_log_that_cannot_be_written_is_one_line(refusals: Refusals) -> None:
    (line,) = refusals(f"[DEFAULT]\nlog_file = /nowhere/at/all.log\n{GOOD}", logs=True)
    assert line.startswith("[DEFAULT] logging cannot be set up: ")
    assert "/nowhere/at/all.log" in line


def test_no_configuration_file_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(errors.OperatorError, match="no configuration file: expected /etc/ratekit"):
        configuration.load_for_rating("a-name-that-nobody-has", [])


def test_an_option_that_moved_is_read_in_its_old_section(load: Load, refusals: Refusals) -> None:
    old = GOOD.replace("[collector_gnocchi]\n", "[collector_gnocchi]\nallow_expired = {}\n")
    assert load(old.format("true")).collect.allow_expired
    assert refusals(old.format("maybe")) == [
        "r.conf:4: [collector_gnocchi] allow_expired: expected true or false, not 'maybe'"
    ]
    both = f"[collect]\nallow_expired = maybe\n{old.format('true')}"
    assert refusals(both) == [
        "r.conf:2: [collect] allow_expired: expected true or false, not 'maybe'"
    ]


def test_options_of_plugins_that_are_not_in_use_are_not_checked(refusals: Refusals) -> None:
    text = "[fetcher]\nbackend = static\n[fetcher_static]\nscopes = a\n"
    assert refusals(f"{text}{GOOD}[fetcher_keystone]\nignore_rating_role = maybe\n") == []
