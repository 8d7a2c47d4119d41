"""A cloud with two regions: ratekit does not choose one by the order of the catalogue."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1.session import Session

from tests import stack
from tests.functional.test_commands import RULES, CommandRunner, commands

__all__ = ["commands"]  # a fixture

IDENTITY = {"service_type": "identity", "interface": "public"}


@contextlib.contextmanager
def second_region(admin: Session, kind: str, interface: str, url: str) -> Iterator[None]:
    """Give a service an endpoint in RegionTwo, until the context ends."""

    def send(method: str, path: str, **request: Any) -> Any:
        response = admin.request(path, method, endpoint_filter=IDENTITY, **request)
        return response.json() if response.content else None

    services = send("GET", f"/services?type={kind}")
    assert isinstance(services, dict)
    [service] = services["services"]
    endpoint = {
        "service_id": service["id"],
        "interface": interface,
        "region_id": "RegionTwo",
        "url": url,
    }
    send("POST", "/regions", json={"region": {"id": "RegionTwo"}})
    created = send("POST", "/endpoints", json={"endpoint": endpoint})
    assert isinstance(created, dict)
    try:
        yield
    finally:
        send("DELETE", f"/endpoints/{created['endpoint']['id']}")
        send("DELETE", "/regions/RegionTwo")


@pytest.mark.parametrize(
    ("group", "kind", "interface", "endpoint_interface"),
    [
        ("fetcher_keystone", "identity", "public", "public"),
        ("collector_gnocchi", "metric", "internalURL", "internal"),
    ],
)
def test_with_two_regions_nothing_is_rated_until_one_is_named(
    cloud: stack.Stack,
    commands: CommandRunner,
    tmp_path: pathlib.Path,
    group: str,
    kind: str,
    interface: str,
    endpoint_interface: str,
) -> None:
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    assert commands.run("ratekit", "hashmap", "apply", str(RULES), "--yes").returncode == 0
    url = "http://127.0.0.1:9/elsewhere"
    with second_region(cloud.admin_session(), kind, endpoint_interface, url):
        refused = commands.run("ratekit-processor", "--once")
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
        [line] = [line for line in refused.stderr.splitlines() if line.startswith("ratekit-pro")]
        assert line == (
            f"ratekit-processor: Keystone at {cloud.keystone_url}: its catalogue has 2 endpoints "
            f"of type {kind!r} with interface {interface!r} in the regions RegionOne, RegionTwo: "
            f"set region_name in [{group}]"
        )
        assert commands.json("frame", "list", "--limit", "0") == []
        conf = tmp_path / "ratekit.conf"
        text = conf.read_text(encoding="utf-8")
        named = text.replace(f"[{group}]\n", f"[{group}]\nregion_name = RegionOne\n")
        conf.write_text(named, encoding="utf-8")
        rated = commands.run("ratekit-processor", "--once")
        assert rated.returncode == 0, rated.stderr
    assert commands.json("frame", "list", "--limit", "0") != []
