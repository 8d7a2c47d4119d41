"""Values are read again only after a while; absent values and errors are not kept."""

from __future__ import annotations

import datetime
import threading

import pytest

from ratekit.collectors.gnocchi.ttl_cache import TTL, TtlCache

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class Source:
    """Reads values and has a clock.

    :ivar keys: the keys that were read, in order
    :ivar value: what it returns; an exception is raised
    """

    def __init__(self) -> None:
        self.now = NOON
        self.keys: list[str] = []
        self.value: str | Exception | None = "value"
        self.cache = TtlCache(self.read, lambda: self.now)

    def read(self, key: str) -> str | None:
        self.keys.append(key)
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_a_value_is_read_again_when_its_time_is_over() -> None:
    source = Source()
    assert source.cache.get("a") == "value"
    source.now += TTL - SECOND
    assert source.cache.get("a") == "value"
    assert source.keys == ["a"]
    source.now += SECOND
    source.value = "other"
    assert source.cache.get("a") == "other"
    assert source.keys == ["a", "a"]


def test_each_key_has_its_own_value_and_time() -> None:
    source = Source()
    source.cache.get("a")
    source.now += TTL / 2
    source.cache.get("b")
    source.now += TTL / 2
    source.cache.get("a")
    source.cache.get("b")
    assert source.keys == ["a", "b", "a"]


def test_a_refresh_reads_in_any_case_and_starts_the_time_again() -> None:
    source = Source()
    source.cache.get("a")
    source.now += TTL - SECOND
    source.value = "other"
    assert source.cache.get("a", refresh=True) == "other"
    source.now += TTL - SECOND
    assert source.cache.get("a") == "other"
    assert source.keys == ["a", "a"]


def test_false_is_a_value() -> None:
    reads: list[str] = []

    def read(key: str) -> bool:
        reads.append(key)
        return False

    cache = TtlCache(read, lambda: NOON)
    assert cache.get("a") is cache.get("a") is False
    assert reads == ["a"]


@pytest.mark.parametrize("value", [None, OSError("down")])
def test_neither_none_nor_an_error_is_kept(value: Exception | None) -> None:
    source = Source()
    source.value = value
    for _ in range(2):
        if value is None:
            assert source.cache.get("a") is None
        else:
            with pytest.raises(OSError, match="down"):
                source.cache.get("a")
    assert source.keys == ["a", "a"]


def test_callers_that_come_together_read_once() -> None:
    entered, released = threading.Event(), threading.Event()
    reads: list[str] = []

    def read(key: str) -> str:
        reads.append(key)
        entered.set()
        assert released.wait(30)
        return "value"

    cache = TtlCache(read, lambda: NOON)
    callers = [threading.Thread(target=cache.get, args=("a",)) for _ in range(3)]
    for caller in callers:
        caller.start()
    assert entered.wait(30)
    released.set()
    for caller in callers:
        caller.join()
    assert reads == ["a"]
