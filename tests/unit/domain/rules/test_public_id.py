"""Public ids: UUIDs that hold a kind and the number of a row."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.rules import public_id
from ratekit.domain.rules.public_id import IdKind

KINDS = st.sampled_from(IdKind)
NUMBERS = st.integers(0, 2**62 - 1)


@given(KINDS, NUMBERS)
def test_an_id_is_a_uuid_of_version_8_and_leads_back_to_its_row(kind: IdKind, number: int) -> None:
    text = public_id.encode(kind, number)
    parsed = uuid.UUID(text)
    assert (str(parsed), parsed.version, parsed.variant) == (text, 8, uuid.RFC_4122)
    assert public_id.decode(text) == (kind, number)
    assert public_id.decode(text.upper()) == (kind, number)


@given(st.sets(st.tuples(KINDS, NUMBERS)))
def test_different_rows_have_different_ids(rows: set[tuple[IdKind, int]]) -> None:
    assert len({public_id.encode(*row) for row in rows}) == len(rows)


@given(st.text() | st.uuids().map(str) | st.uuids(version=4).map(str))
def test_any_other_text_is_no_id(text: str) -> None:
    assert public_id.decode(text) is None


@given(KINDS, NUMBERS, st.integers(0, 127))
def test_one_changed_bit_leads_to_another_row_or_to_none(
    kind: IdKind, number: int, bit: int
) -> None:
    changed = str(uuid.UUID(int=uuid.UUID(public_id.encode(kind, number)).int ^ 1 << bit))
    row = public_id.decode(changed)
    assert row != (kind, number)
    assert row is None or public_id.encode(*row) == changed


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("-", ""),
        lambda text: f"{{{text}}}",
        lambda text: f"urn:uuid:{text}",
        lambda text: f"{text}\n",
        lambda text: f" {text}",
        lambda text: text[:-1] + "\N{FULLWIDTH DIGIT ONE}",
        lambda text: text[:-1],
    ],
)
def test_only_the_canonical_form_is_an_id(change: object) -> None:
    assert callable(change)
    assert public_id.decode(change(public_id.encode(IdKind.MAPPING, 11))) is None


def test_ids_never_change_because_clients_store_them() -> None:
    assert public_id.encode(IdKind.SERVICE, 1) == "72746b72-756c-8001-8000-000000000001"
    assert public_id.encode(IdKind.THRESHOLD, 255) == "72746b72-756c-8005-8000-0000000000ff"


@pytest.mark.parametrize("number", [-1, 2**62])
def test_no_row_has_such_a_number(number: int) -> None:
    with pytest.raises(ValueError, match="id of a row"):
        public_id.encode(IdKind.GROUP, number)
