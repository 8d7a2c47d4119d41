"""The messages to systemd, in the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import time

import pytest

from ratekit.daemon.systemd import Notifier
from tests.unit.daemon.fake_systemd import Systemd


def test_the_notifier_reads_the_variables_of_systemd() -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"}
    assert Notifier.from_environment(environment).watchdog == 30.0
    for_this_process = {**environment, "WATCHDOG_PID": str(os.getpid())}
    assert Notifier.from_environment(for_this_process).watchdog == 30.0
    for_another_process = {**environment, "WATCHDOG_PID": "1"}
    assert Notifier.from_environment(for_another_process).watchdog == 0.0
    assert Notifier.from_environment({}).watchdog == 0.0


def test_an_abstract_socket_is_found() -> None:
    name = f"ratekit-{os.getpid()}"
    listening = Systemd(f"\0{name}")
    try:
        Notifier(f"@{name}").ready("fine")
        assert listening.receive() == ["READY=1\nSTATUS=fine"]
    finally:
        listening.close()


def test_reloading_carries_the_time_that_systemd_wants(systemd: Systemd, address: str) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(address).reloading()
    (message,) = systemd.receive()
    first, second = message.splitlines()
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_sets_no_other_variable(systemd: Systemd, address: str) -> None:
    Notifier(address).status("1 scope left\nMAINPID=1")
    Notifier(address).ready("next\x1b cycle\nERRNO=5")
    assert systemd.receive() == [
        "STATUS=1 scope left\\nMAINPID=1", "READY=1\nSTATUS=next\\x1b cycle\\nERRNO=5",
    ]  # fmt: skip


def test_a_socket_without_a_listener_does_no_harm(address: str) -> None:
    Notifier(address).alive()
    Notifier("").alive()
    listening = Systemd(address)
    Notifier(address).alive()
    messages = listening.receive()
    listening.close()
    assert messages == ["WATCHDOG=1"]


@pytest.mark.parametrize("watchdog", [0.0, 1201.0, 3600.0])
def test_a_watchdog_that_leaves_time_for_a_batch_and_a_probe_is_no_problem(watchdog: float) -> None:
    assert Notifier(watchdog=watchdog).explain_short_watchdog(batch_timeout=300.0) is None


def test_a_short_watchdog_is_explained_with_what_it_needs() -> None:
    assert Notifier(watchdog=1200.0).explain_short_watchdog(batch_timeout=300.0) == (
        "WatchdogSec is 20 min: systemd may restart the daemon while it collects a batch; set it "
        "to more than 4 times [orchestrator] batch_timeout, 20 min"
    )
