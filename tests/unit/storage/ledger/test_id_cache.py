"""What a process remembers of the ids of descriptors."""

from __future__ import annotations

from ratekit.storage.ledger.id_cache import IdCache


def read(cache: IdCache, numbers: range) -> int:
    """Look all numbers up, and remember what is missing; return how many were found."""
    hits = 0
    for number in numbers:
        digest = number.to_bytes(32)
        row_id = cache.get(digest)
        if row_id is None:
            cache.add({digest: number + 1})
        else:
            assert row_id == number + 1
            hits += 1
    return hits


def test_a_circle_longer_than_the_cache_is_found_as_far_as_it_fits() -> None:
    cache, circle = IdCache(1000), range(1500)
    assert read(cache, circle) == 0
    # Many circles: ages turn meanwhile.
    assert [read(cache, circle) for _ in range(20)] == [1000] * 20


def test_a_circle_that_fits_is_found() -> None:
    cache, circle = IdCache(1000), range(1000)
    read(cache, circle)
    assert [read(cache, circle) for _ in range(20)] == [1000] * 20


def test_what_is_no_longer_read_makes_room() -> None:
    cache = IdCache(1000)
    read(cache, range(1000))
    later = range(5000, 6000)
    hits = [read(cache, later) for _ in range(12)]
    assert (hits[0], hits[-1]) == (0, 1000)


def test_it_never_grows_beyond_its_size() -> None:
    cache = IdCache(100)
    cache.add({number.to_bytes(32): number + 1 for number in range(300)})
    assert cache.room == 0
    assert read(cache, range(300)) == 100
    assert cache.room == 0


def test_what_is_remembered_again_does_not_take_room_twice() -> None:
    cache = IdCache(100)
    for _ in range(3):
        cache.add({b"a": 1})
    assert cache.room == 99


def test_clearing_forgets_both_ages() -> None:
    cache = IdCache(10)
    cache.add({b"old": 1})
    for _ in range(45):
        cache.get(b"other")
    cache.add({b"new": 2})
    cache.clear()
    assert (cache.get(b"old"), cache.get(b"new"), cache.room) == (None, None, 10)
