"""What stands for a set of labels."""

from __future__ import annotations

import datetime
import hashlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.series import Series
from ratekit.storage.ledger.descriptors import describe, digest_of, labels

LABELS = st.dictionaries(st.text(), st.none() | st.text(), max_size=5)


def series(
    groupby: dict[str, str | None],
    metadata: dict[str, str | None],
    metric: str = "instance",
    unit: str = "GiB",
) -> Series:
    """Return a series with some labels."""
    points = [(datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC), Decimal(1))]
    return Series("a", metric, unit, groupby, metadata, points)


@given(LABELS, LABELS)
def test_the_digest_is_that_of_canonical_json(
    groupby: dict[str, str | None], metadata: dict[str, str | None]
) -> None:
    descriptor = describe(series(groupby, metadata))
    text = json.dumps(["instance", "GiB", groupby, metadata], sort_keys=True, separators=(",", ":"))
    assert descriptor.digest == hashlib.sha256(text.encode()).digest()
    assert digest_of(series(groupby, metadata)) == descriptor.digest
    assert labels(descriptor.groupby) == groupby
    assert labels(descriptor.metadata) == metadata


def test_digests_are_those_of_rows_that_were_stored_by_older_releases() -> None:
    descriptor = describe(
        series(
            {"project_id": "a1", "id": 'quote " and \\', "100%s": "50 %"},
            {"name": "Zoë \U0001f680 \ud800", "image_ref": None, "empty": "", "nul": "\x00\n"},
            metric="disk %d",
            unit="GiB %",
        )
    )
    assert descriptor.groupby == (r'{"100%s":"50 %","id":"quote \" and \\","project_id":"a1"}')
    assert descriptor.metadata == (
        r'{"empty":"","image_ref":null,"name":"Zo\u00eb \ud83d\ude80 \ud800","nul":"\u0000\n"}'
    )
    assert (
        descriptor.digest.hex()
        == "56ab688bba406935a5c6417568c351d7d480f71654e8498468f34c550ba3a7f5"
    )


@given(LABELS)
def test_the_order_of_labels_does_not_matter(groupby: dict[str, str | None]) -> None:
    turned = dict(reversed(groupby.items()))
    assert describe(series(groupby, {})) == describe(series(turned, {}))


def test_each_part_matters() -> None:
    parts = [
        series({"a": "1"}, {}),
        series({}, {"a": "1"}),
        series({"a": None}, {}),
        series({"a": ""}, {}),
        series({"a": "1"}, {}, metric="volume"),
        series({"a": "1"}, {}, unit="MiB"),
    ]
    assert len({describe(part).digest for part in parts}) == len(parts)


def test_a_name_that_no_column_holds_is_refused() -> None:
    with pytest.raises(errors.OperatorError, match="255"):
        describe(series({}, {}, metric="x" * 256))
    with pytest.raises(errors.OperatorError, match="255"):
        describe(series({}, {}, unit="x" * 256))
