"""Lines of pages end where a reader expects it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ratekit.html.breaks import joints, whole


@pytest.mark.parametrize(
    ("text", "wholes"),
    [
        ("rated until 2026-03-05 12:00 UTC; later", ["2026-03-05 12:00 UTC"]),
        ("2026-03-01 to 2026-03-31", ["2026-03-01", "2026-03-31"]),
        ("from 2026-03-04T11:00:00Z: Costs", ["2026-03-04T11:00:00Z"]),
        ("at 2026-03-05 12:00 +0530.", ["2026-03-05 12:00 +0530"]),
        ("Until 2026-03-05 12:00 Rome was", ["2026-03-05 12:00"]),
        ("ratekit-processor --once --allow-expired", ["--once", "--allow-expired"]),
        ("5907982f-2026-03-05-8b83, 1-2, a--b", []),
    ],
)
def test_times_and_options_stay_whole(text: str, wholes: list[str]) -> None:
    marked = whole(text)
    assert marked.count("<span") == len(wholes)
    for part in wholes:
        assert f'<span class="whole">{part}</span>' in marked


def test_html_stays_as_it_is() -> None:
    html = Markup('<time datetime="2026-03-05">5 March</time>')
    assert whole(html) == html


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("network.outgoing.bytes.rate", ["network.", "outgoing.", "bytes.", "rate"]),
        ("flavor_id", ["flavor_", "id"]),
        ("v1.", ["v1."]),
        ("m1.large", ["m1.", "large"]),
        ("=1+1", ["=1+1"]),
        ("2026-03-02 00:00", ["2026-03-02 00:00"]),
        ("10.0.0.1", ["10.0.0.1"]),
    ],
)
def test_lines_may_end_between_the_parts_of_a_name(name: str, parts: list[str]) -> None:
    assert joints(name).split("<wbr>") == parts


@given(st.text() | st.from_regex(r"[<&>\"'._:/a-z0-9 -]+"))
def test_no_character_is_lost_or_becomes_html(text: str) -> None:
    for marked in (whole(text), joints(text)):
        assert marked.replace("<wbr>", "").striptags() == Markup.escape(text).striptags()
        bare = marked.replace("<wbr>", "").replace('<span class="whole">', "")
        assert "<" not in bare.replace("</span>", "")
