"""ratekit report."""

from __future__ import annotations

import base64
import csv
import datetime
import hashlib
import io
import pathlib
import re
from decimal import Decimal

import bs4
import pytest
import sqlalchemy as sa

from ratekit.admin.bill.statement import MAX_PARTS, MAX_PROJECTS
from ratekit.domain.reporting.bill import add_up
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Answer, Shell, configure

#: Names that spreadsheets would compute, and a browser would run.
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1")
SCRIPT = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>"


def write(ratekit: Shell, path: pathlib.Path, *options: str) -> Answer:
    return ratekit("report", "--month", "2026-03", "-o", str(path), *options)


def read_page(path: pathlib.Path) -> bs4.BeautifulSoup:
    return bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    text = path.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf"), "the mark by which Excel knows UTF-8"
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def table(page: bs4.BeautifulSoup, caption: str) -> list[list[str]]:
    """Return the cells of the first table of a caption."""
    title = page.find("caption", string=caption)
    assert title is not None, caption
    parent = title.find_parent("table")
    assert parent is not None
    return [
        [cell.get_text(strip=True) for cell in row.find_all(["th", "td"])]
        for row in parent.find_all("tr")
    ]


def set_name(storage: Storage, database: str, scope: str, name: str) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        query = sa.text("update scopes set name = :name where scope_id = :scope")
        connection.execute(query, {"name": name, "scope": scope})
    engine.dispose()


class TestPage:
    def test_it_says_who_when_and_how_much(
        self, ratekit: Shell, usage: None, config: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        configure(config, "rating", "currency = EUR", "decimals = 1")
        path = tmp_path / "bill.html"
        answer = write(ratekit, path, "--scope", "a1", "--timezone", "Europe/Berlin")
        assert (answer.code, answer.out, answer.err) == (0, "", "")
        text = read_page(path).get_text(" ", strip=True)
        for words in (
            "Bill of name of a1",
            "2026-03-01 to 2026-03-31",
            "Time zone Europe/Berlin",
            "Rated until 2026-03-01 03:00 CET",
            "Written at 2026-03-02 13:30 CET",
            "Total 0.3 EUR",
            "This bill is not final",
        ):
            assert words in text, words

    def test_a_bill_that_begins_before_the_first_usage_is_final(
        self, ratekit: Shell, storage: Storage, tmp_path: pathlib.Path
    ) -> None:
        begin = given.hour(0)
        states = given.list_scopes(storage, "a1", now=begin, start=begin, resume=begin)
        series = given.build_series("a1", [("1", "1"), ("1", "1")], begin=begin)
        storage.ledger.commit(given.batch(states, series, periods=given.window(2, begin)))
        path = tmp_path / "bill.html"
        time = ("--begin", "2026-02-01", "--end", "2026-03-01T02:00Z")
        assert ratekit("report", *time, "--scope", "a1", "-o", str(path)).code == 0
        text = read_page(path).get_text(" ", strip=True)
        assert "not final" not in text
        assert "The project is rated since 2026-03-01 00:00 UTC" in text

    def test_its_numbers_are_those_of_summary(
        self, ratekit: Shell, usage: None, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "bill.html"
        write(ratekit, path)
        page = read_page(path)
        assert table(page, "Costs by metric") == [
            ["Metric", "Quantity", "Price"],
            ["instance", "2.5 instance", "12,345,678,901,234,567,890.80"],
            ["volume", "40 GiB", "<0.01"],
            ["Total", "", "12,345,678,901,234,567,890.80"],
        ]
        summary = ratekit("summary", "--month", "2026-03", "--groupby", "metric", "-f", "json")
        exact = {row["Metric"]: row["Price"] for row in summary.json()}
        first = page.find("table")
        assert first is not None
        values = [cell["value"] for cell in first.find_all("data", class_="money")]
        total = add_up(map(Decimal, exact.values()))
        assert values == [exact["instance"], exact["volume"], f"{total:f}"]
        assert f"The exact total is {total:f}." in page.get_text(" ", strip=True)

    @pytest.mark.parametrize("remaining", [0, 1])
    def test_several_projects_of_a_time_that_was_purged_say_so(
        self, ratekit: Shell, storage: Storage, usage: None, tmp_path: pathlib.Path, remaining: int
    ) -> None:
        until = given.hour(2 - remaining)
        storage.purge.start(until, totals=True)
        assert list(storage.purge.remove(1000))
        path = tmp_path / "bill.html"
        write(ratekit, path)
        # Before the parts of the projects, of which there may be none.
        notices = read_page(path).select("main > .state.warning")
        words = " ".join(notice.get_text(" ", strip=True) for notice in notices)
        assert f"Usage before {until:%Y-%m-%d %H:%M} UTC may be missing." in words

    def test_hours_that_clocks_show_twice_have_rows_of_their_own(
        self, ratekit: Shell, storage: Storage, tmp_path: pathlib.Path
    ) -> None:
        # In New York clocks went back on 2026-11-01, at 06:00 UTC.
        begin = datetime.datetime(2026, 11, 1, 4, tzinfo=datetime.UTC)
        series = given.build_series("a1", [(str(n), str(n)) for n in range(1, 5)], begin=begin)
        states = given.list_scopes(storage, "a1", now=begin, start=begin)
        storage.ledger.commit(given.batch(states, series, periods=given.window(4, begin)))
        path = tmp_path / "bill.html"
        day = ("--begin", "2026-11-01", "--end", "2026-11-02", "--timezone", "America/New_York")
        assert ratekit("report", *day, "-o", str(path)).code == 0
        assert [row[:2] for row in table(read_page(path), "Costs by hour")[1:5]] == [
            ["2026-11-01 00:00", "1.00"],
            ["2026-11-01 01:00 EDT", "2.00"],
            ["2026-11-01 01:00 EST", "3.00"],
            ["2026-11-01 02:00", "4.00"],
        ]

    def test_each_of_several_projects_has_a_part(
        self, ratekit: Shell, usage: None, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "bill.html"
        write(ratekit, path)
        parts = read_page(path).find_all("section", class_="part")
        assert [part.h2.get_text() for part in parts if part.h2] == ["name of b2", "name of a1"]

    def test_rows_that_do_not_add_up_when_rounded_say_so(
        self, ratekit: Shell, storage: Storage, tmp_path: pathlib.Path
    ) -> None:
        series = [
            given.build_series("a1", [("1", "0.125")], metric=metric) for metric in ("x", "y")
        ]
        storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), *series))
        path = tmp_path / "bill.html"
        write(ratekit, path)
        text = " ".join(read_page(path).get_text().split())
        # 0.12 and 0.12, but 0.25
        assert "rows may differ from their total by up to 0.01" in text

    def test_nothing_of_it_is_loaded_or_run(
        self, ratekit: Shell, storage: Storage, usage: None, database: str, tmp_path: pathlib.Path
    ) -> None:
        set_name(storage, database, "a1", SCRIPT)
        path = tmp_path / "bill.html"
        write(ratekit, path)
        page = read_page(path)
        assert not page.find_all(["script", "link", "iframe", "object", "embed", "base", "img"])
        for element in page.find_all(True):
            for name, value in element.attrs.items():
                assert not name.startswith("on")
                assert name not in {"src", "srcset", "style", "data", "poster", "action"}
                if name == "href":
                    assert str(value).startswith("#")
        [style] = page.find_all("style")
        assert "url(" not in style.get_text()
        assert "@import" not in style.get_text()
        policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})
        assert isinstance(policy, bs4.Tag)
        digest = hashlib.sha256(style.get_text().encode()).digest()
        code = base64.b64encode(digest).decode()
        assert policy["content"] == f"default-src 'none'; style-src 'sha256-{code}'"
        assert page.title is not None
        assert page.title.get_text().startswith("Bill of all projects")

    def test_a_name_on_each_sheet_is_no_style(
        self, ratekit: Shell, storage: Storage, usage: None, database: str, tmp_path: pathlib.Path
    ) -> None:
        set_name(storage, database, "a1", '"; } body { display: none } </style> é\\')
        path = tmp_path / "bill.html"
        write(ratekit, path, "--scope", "a1")
        text = path.read_text(encoding="utf-8")
        [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        [head] = re.findall(r'@top-left \{ content: "([^"]*)"; \}', style)
        letters = re.sub(r"\\([0-9a-f]+) ", lambda code: chr(int(code[1], 16)), head)
        assert letters.startswith('Bill of "; } body { display: none } </style> é\\, 2026-03-01')
        assert re.fullmatch(r"([a-zA-Z0-9]|\\[0-9a-f]+ )*", head)

    def test_there_may_be_more_projects_than_it_shows(
        self, ratekit: Shell, storage: Storage, tmp_path: pathlib.Path
    ) -> None:
        count = MAX_PROJECTS + 2
        names = [f"p{number:04}" for number in range(count)]
        storage.ledger.commit(
            given.batch(
                given.list_scopes(storage, *names),
                *(given.build_series(name, [("1", "0.5")]) for name in names),
            )
        )
        path = tmp_path / "bill.html"
        assert write(ratekit, path).code == 0
        page = read_page(path)
        # A title and a total are rows, too.
        assert len(table(page, "Costs by project")) == MAX_PROJECTS + 2
        assert len(page.find_all("section", class_="part")) == MAX_PARTS
        first, second = (" ".join(line.get_text().split()) for line in page.select(".limit"))
        assert first.startswith("2 more projects cost 1.00 together.")
        assert second.startswith(f"Below are the {MAX_PARTS} dearest projects; 902 more are not.")

    def test_time_without_usage(self, ratekit: Shell, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "bill.html"
        answer = write(ratekit, path)
        assert (answer.code, answer.out) == (0, "")
        assert answer.err == (
            "ratekit: no frames match from 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z\n"
        )
        assert "No charges" in read_page(path).get_text()

    @pytest.mark.parametrize(
        ("begin", "end", "caption"),
        [
            ("2026-03-01", "2026-03-03", "Costs by hour"),
            ("2026-03-01", "2026-04-30", "Costs by day"),
            ("2026-01-01", "2028-01-01", "Costs by month"),
        ],
    )
    def test_a_chart_has_bars_that_fit_its_time(
        self, begin: str, end: str, caption: str, ratekit: Shell, usage: None,
        tmp_path: pathlib.Path,
    ) -> None:  # fmt: skip
        path = tmp_path / "bill.html"
        ratekit("report", "--begin", begin, "--end", end, "--scope", "a1", "-o", str(path))
        assert table(read_page(path), caption)


class TestSheet:
    def test_it_has_all_digits_by_project_metric_and_day(
        self, ratekit: Shell, usage: None, config: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        configure(config, "rating", "currency = EUR")
        path = tmp_path / "bill.csv"
        answer = ratekit(
            "report", "--begin", "2026-02", "--end", "2026-04", "-o", str(path),
            "--timezone", "America/New_York",
        )  # fmt: skip
        assert (answer.code, answer.out, answer.err) == (0, "", "")
        rows = read_rows(path)
        assert [
            (row["Project ID"], row["Metric"], row["Quantity"], row["Unit"], row["Price"])
            for row in rows
        ] == [
            ("a1", "instance", "2", "instance", "0.3"),
            ("a1", "volume", "40", "GiB", "0.0000000000000000000000000001"),
            ("b2", "instance", "0.5", "instance", "12345678901234567890.5"),
        ]
        assert {row["Day"] for row in rows} == {"2026-02-28"}
        assert {(row["Time zone"], row["Currency"]) for row in rows} == {
            ("America/New_York", "EUR")
        }

    @pytest.mark.parametrize("name", FORMULAS)
    def test_no_cell_is_a_formula_and_numbers_stay_numbers(
        self, name: str, ratekit: Shell, storage: Storage, database: str, tmp_path: pathlib.Path
    ) -> None:
        series = given.build_series("a1", [("1", "-5.25")], metric=name, unit=name)
        storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), series))
        set_name(storage, database, "a1", name)
        path = tmp_path / "bill.csv"
        assert write(ratekit, path).code == 0
        [row] = read_rows(path)
        assert row["Price"] == "-5.25"
        for cell in (row["Project"], row["Metric"], row["Unit"]):
            assert not re.match(r"[=+\-@\t\r\uff1d]", cell)

    def test_time_without_usage_has_a_head(self, ratekit: Shell, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "bill.csv"
        assert "no frames match" in write(ratekit, path).err
        assert read_rows(path) == []


class TestFile:
    def test_it_is_for_its_owner_and_replaces_an_older_one(
        self, ratekit: Shell, usage: None, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "bill.csv"
        path.write_text("old")
        assert write(ratekit, path).code == 0
        assert read_rows(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []

    def test_a_failure_leaves_the_older_one(
        self, ratekit: Shell, config: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "bill.html"
        path.write_text("old")
        (tmp_path / "ratekit.sqlite").write_bytes(b"no database")
        answer = write(ratekit, path)
        assert answer.code != 0
        assert "Traceback" not in answer.err
        assert path.read_text() == "old"

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ("-o bill.pdf", "--output: expected a file that ends with .html or .csv, not "
             "'bill.pdf'"),
            ("-o bill", "--output: expected a file that ends with .html or .csv, not 'bill'"),
            ("-o bill.csv --format html", "--format is for --output -; a file's name says what it "
             "is"),
            ("-o /nowhere/bill.csv", "cannot write /nowhere/bill.csv: No such file or directory"),
            ("-o x.csv --scope nobody", "--scope: no scope 'nobody'; see ratekit scope list --all"),
            ("-o x.csv --begin 2026-03-02 --end 2026-03-01", "--begin 2026-03-02T00:00:00Z is not "
             "before --end 2026-03-01T00:00:00Z"),
            ("-o x.csv --timezone Nowhere", "--timezone: expected a name such as Europe/Berlin or "
             "UTC, not 'Nowhere'"),
        ],
    )  # fmt: skip
    def test_bad_input_is_one_line(
        self, options: str, line: str, ratekit: Shell, usage: None,
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.chdir(tmp_path)
        before = set(tmp_path.iterdir())
        answer = ratekit("report", *options.split())
        assert (answer.code, answer.err) == (2, f"ratekit: {line}\n")
        assert set(tmp_path.iterdir()) == before
