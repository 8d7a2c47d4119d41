"""Options that nothing reads are warnings."""

from __future__ import annotations

import logging
import pathlib

import pytest
from oslo_config import cfg

from ratekit.cmd import configuration
from tests.unit.conf.conftest import GOOD, Load, Refusals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[collect]\nperod = 60\n", "[collect] perod: unknown option (did you mean 'period'?)"),
        ("[collect]\nshade = red\n", "[collect] shade: unknown option"),
        ("[DEFAULT]\ndebgu = 1\n", "[DEFAULT] debgu: unknown option (did you mean 'debug'?)"),
        (
            "[collecter_gnocchi]\nx = 1\n",
            "[collecter_gnocchi]: unknown section (did you mean 'collector_gnocchi'?)",
        ),
        *(
            (f"[{section}]\n{name} = 1\n", f"[{section}] {name}: is CloudKitty's; ratekit does "
             "not need it")
            for section, name in (
                ("DEFAULT", "transport_url"),
                ("orchestrator", "max_workers_reprocessing"),
                ("database", "max_pool_size"),
                ("fetcher_keystone", "keystone_version"),
                ("collector_gnocchi", "http_pool_maxsize"),
                ("storage", "backend"),
            )
        ),
        *(
            (f"[{section}]\nx = 1\n", f"[{section}]: is CloudKitty's; ratekit does not need it")
            for section in (
                "storage_influxdb", "fetcher_prometheus", "output", "tenant_fetcher",
                "state",
                "oslo_messaging_rabbit", "oslo_concurrency",
            )
        ),
    ],
)  # fmt: skip
def test_what_nothing_reads_is_a_warning(
    text: str, expected: str, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    load(text + GOOD, logs=True)
    line = 2 if "] " in expected.partition(":")[0] else 1
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.endswith(f"r.conf:{line}: {expected}")
    assert " WARNING " in warning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[someone_elses]\nx = 1\n",
        "[DEFAULT]\nlog_file =\nuse_stderr = true\ngraceful_shutdown_timeout = 5\n",
        "[fetcher_keystone]\nregion_name = one\ntimeout = 5\ncafile =\n",
    ],
)
def test_options_that_something_may_read_are_no_warning(
    text: str, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    load(text + GOOD, logs=True)
    assert capsys.readouterr().err == ""


def test_options_of_the_authentication_in_use_are_known(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD[: GOOD.index("auth_type")] + (
        "auth_type = v3applicationcredential\nauth_url = http://k/v3\n"
        "application_credential_id = a\napplication_credential_secret = b\n"
    )
    load(text, logs=True)
    assert capsys.readouterr().err == ""
    load(f"{text}trsut_id = c\n", logs=True)
    assert capsys.readouterr().err.endswith("[ratekit_auth] trsut_id: unknown option (did you "
                                            "mean 'trust_id'?)\n")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (
            "[database]\nconection = sqlite:////tmp/x\n",
            ["2: [database] conection: unknown option (did you mean 'connection'?)"],
        ),
        (
            "[databse]\nconnection = sqlite:////tmp/x\n",
            ["1: [databse]: unknown section (did you mean 'database'?)"],
        ),
        ("[collect]\nperod = 60\n[rating]\nx = 1\n",
         ["2: [collect] perod: unknown option (did you mean 'period'?)",
          "4: [rating] x: unknown option"]),
        # What the libraries and plug-ins read is not known to a command that does not load them.
        ("[DEFAULT]\nlog_file =\n[fetcher_static]\nx = 1\n[collector_x]\n[credentials]\n", []),
        # A processor logs these.
        ("[database]\nmax_pool_size = 5\n[oslo_policy]\nx = 1\n", []),
    ],
)  # fmt: skip
def test_commands_that_do_not_rate_print_misspelt_options_of_the_core(
    text: str, warnings: list[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tool.conf"
    path.write_text(text)
    configuration.load("ratekit-test", ["--config-file", str(path)])
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"ratekit-test: warning: {path}:{warning}" for warning in warnings]
    assert logging.getLogger("ratekit").handlers == []


def test_misspelt_options_are_listed_among_the_mistakes(refusals: Refusals) -> None:
    text = "[collect]\nperod = 60\nwait_periods = x\nwindow = 5\n[fetcher_keystone]\ncafil = x\n"
    lines = refusals(text + GOOD.replace("[fetcher_keystone]\n", ""))
    assert [line.partition(" (")[0].partition(", not")[0] for line in lines] == [
        "r.conf:2: [collect] perod: unknown option",
        "r.conf:3: [collect] wait_periods: expected a whole number from 0 to 1,000",
        "r.conf:6: [fetcher_keystone] cafil: unknown option",
    ]


def test_a_misspelt_option_is_one_line_where_it_is_a_mistake_too(refusals: Refusals) -> None:
    once = cfg.BoolOpt("once", default=False)
    (line,) = refusals("[DEFAULT]\nonce = 1\n" + GOOD, cli_opts=[once])
    assert line == "r.conf:2: [DEFAULT] once: is for the command line only; remove it"
