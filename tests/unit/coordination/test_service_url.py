"""URLs of coordination services: which can be used, and with which limits."""

from __future__ import annotations

import re
import urllib.parse

import pytest

from ratekit import errors
from ratekit.coordination.service_url import ServiceUrl, find_mistake


def options(service: ServiceUrl) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(service.url).query))


def test_every_request_has_a_limit_and_members_that_die_are_removed_after_ten_seconds() -> None:
    service = ServiceUrl.parse("etcd3+http://etcd.example:2379")
    assert options(service) == {"membership_timeout": "10", "timeout": "3"}
    assert (service.membership_seconds, service.group) == (10, "ratekit")
    assert service.address == ("etcd.example", 2379)
    assert options(ServiceUrl.parse("redis://h"))["socket_connect_timeout"] == "3"
    assert options(ServiceUrl.parse("zookeeper://h,i:2181")) == {"timeout": "10"}


def test_the_options_of_the_url_have_precedence_and_the_group_is_not_for_the_library() -> None:
    service = ServiceUrl.parse("etcd3+https://h?membership_timeout=20&group=north&ca_cert=/ca")
    assert options(service) == {"membership_timeout": "20", "timeout": "3", "ca_cert": "/ca"}
    assert (service.membership_seconds, service.group) == (20, "north")


def test_redis_by_tls_is_what_the_library_calls_ssl() -> None:
    service = ServiceUrl.parse("rediss://:secret@h:6380")
    assert service.url.startswith("redis://:secret@h:6380?")
    assert options(service)["ssl"] == "true"
    assert service.address == ("h", 6380)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://h/db", "it has locks, but no groups"),
        ("postgresql://h/db", "it has locks, but no groups"),
        ("file:///var/lib/x", "its members stay when their processes have died"),
        ("memcached://h", "it may forget members at any time"),
        ("etcd3://h", "write etcd3+http or etcd3+https"),
        ("consul://h", "it is unknown"),
    ],
)
def test_services_that_cannot_be_used_are_named_with_the_reason(url: str, reason: str) -> None:
    scheme = url.partition(":")[0]
    message = re.escape(f"{scheme} is not supported: {reason}")
    with pytest.raises(errors.OperatorError, match=message):
        ServiceUrl.parse(url)
    # They are no mistakes: CloudKitty's configuration can be carried over.
    assert find_mistake(url) is None


@pytest.mark.parametrize(
    "url",
    ["etcd.example:2379x", "etcd3+http://h:port", "redis://", "redis://h?membership_timeout=x"],
)
def test_what_is_no_url_is_a_mistake(url: str) -> None:
    mistake = find_mistake(url)
    # A host and a port look like a scheme; they are named as an unknown one.
    assert mistake is not None or url.startswith("etcd.example")


@pytest.mark.parametrize("seconds", ["1", "61"])
def test_a_membership_timeout_that_moves_the_work_too_often_or_too_late_is_a_mistake(
    seconds: str,
) -> None:
    mistake = find_mistake(f"redis://h?membership_timeout={seconds}")
    assert mistake == "expected a membership_timeout from 2 to 60 seconds"
