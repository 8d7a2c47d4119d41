"""A ledger that was restored from a backup under a running processor."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from ratekit.storage.ledger import slices
from tests.contract.conftest import Open
from tests.contract.given import batch, build_series, list_scopes, read_frames


def usage(scope: str, *ids: str) -> list[RatedSeries]:
    """Return an hour of some resources of a scope."""
    return [build_series(scope, [("1", "0.5")], labels={"id": id_}) for id_ in ids]


def restore(url: str, descriptors: int = 0) -> None:
    """Make the database what it was before the first frame, but for some descriptors."""
    engine = sa.create_engine(sa.make_url(url))
    with engine.begin() as connection:
        keep = f"(SELECT id FROM descriptors ORDER BY id LIMIT {descriptors})"
        connection.exec_driver_sql("DELETE FROM totals")
        connection.exec_driver_sql("DELETE FROM frames")
        connection.exec_driver_sql(
            f"DELETE FROM descriptors WHERE id NOT IN (SELECT id FROM {keep} AS first_ones)"
        )
        connection.exec_driver_sql("UPDATE scopes SET rated_until = '2026-03-01 00:00:00.000000'")
        match connection.dialect.name:
            case "postgresql":
                connection.exec_driver_sql(
                    "SELECT setval(pg_get_serial_sequence('descriptors', 'id'),"
                    " (SELECT coalesce(max(id), 0) + 1 FROM descriptors), false)"
                )
            case "mysql":
                connection.exec_driver_sql("ALTER TABLE descriptors AUTO_INCREMENT = 1")
    engine.dispose()


def labels(storage: Storage) -> list[tuple[str, str | None, str | None]]:
    """Return the scope of each frame, and the scope and the resource of its labels."""
    return sorted(
        (frame.scope, frame.groupby["project_id"], frame.groupby["id"])
        for frame in storage.reports.frames(Selection(scopes=ALL_SCOPES))
    )


@pytest.mark.parametrize("is_same_process", [True, False])
def test_labels_of_others_that_have_the_old_row_ids_are_not_taken(
    storage: Storage, open_another: Open, url: str, is_same_process: bool
) -> None:
    one, other = list_scopes(storage, "a", "b")
    storage.ledger.commit(batch([one], *usage("a", "1", "2")))
    restore(url)
    second = storage if is_same_process else open_another()
    second.ledger.commit(batch([other], *usage("b", "3", "4")))
    storage.ledger.commit(batch([one], *usage("a", "1", "2")))
    assert labels(storage) == [("a", "a", "1"), ("a", "a", "2"), ("b", "b", "3"), ("b", "b", "4")]


def test_row_ids_below_one_that_is_right_by_chance_are_checked(
    storage: Storage, open_another: Open, url: str
) -> None:
    states = list_scopes(storage, "a", "b", "c")
    by_scope = dict(zip("abc", states, strict=True))
    restore(url)
    for scope in "abc":
        storage.ledger.commit(batch([by_scope[scope]], *usage(scope, "1")))
    restore(url)
    for scope in "bac":
        open_another().ledger.commit(batch([by_scope[scope]], *usage(scope, "1")))
    restore(url, descriptors=3)
    storage.ledger.commit(batch([states[0], states[2]], *usage("a", "1"), *usage("c", "1")))
    assert labels(storage) == [("a", "a", "1"), ("c", "c", "1")]


def test_each_slice_of_a_large_batch_is_checked(
    storage: Storage, open_another: Open, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 18)
    states = list_scopes(storage, "a", "b")
    storage.ledger.commit(batch([states[0]], *usage("a", "1", "2")))
    storage.ledger.commit(batch([states[1]], *usage("b", "3", "4")))
    restore(url, descriptors=2)
    storage.ledger.commit(batch(states, *usage("a", "1", "2"), *usage("b", "3", "4")))
    assert labels(storage) == [("a", "a", "1"), ("a", "a", "2"), ("b", "b", "3"), ("b", "b", "4")]


def test_a_scope_whose_row_id_is_now_that_of_another_is_not_charged(
    storage: Storage, url: str
) -> None:
    (state,) = list_scopes(storage, "a")
    engine = sa.create_engine(sa.make_url(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE scopes SET scope_id = 'b'")
    engine.dispose()
    result = storage.ledger.commit(batch([state], *usage("a", "1")))
    assert [scope.id for scope in result.lost_scopes] == ["a"]
    assert read_frames(storage) == []
