"""metrics.yml: CloudKitty's own files are read, and every mistake is one line."""

import datetime
import pathlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit import errors
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import EPOCH
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.files import metrics_file

HOUR = datetime.timedelta(hours=1)
DATA = pathlib.Path(__file__).parents[2] / "data"
REPO = pathlib.Path(__file__).parents[3]
# Reading a file sends no request, so the client needs no session.
COLLECTOR = GnocchiCollector(Client(None), "project_id", HOUR, 2 * HOUR)

START = "metrics:\n  cpu:\n    unit: instance\n    extra_args: {resource_type: instance}\n"


@pytest.fixture
def read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Metric, ...]]:
    monkeypatch.chdir(tmp_path)

    def write_and_read(text: str) -> tuple[Metric, ...]:
        pathlib.Path("m.yml").write_text(text, encoding="utf-8")
        return metrics_file.read("m.yml", COLLECTOR)

    return write_and_read


@pytest.fixture
def mistakes(read: Callable[[str], tuple[Metric, ...]]) -> Callable[[str], list[str]]:
    def read_mistakes(text: str) -> list[str]:
        with pytest.raises(errors.BadInput) as caught:
            read(text)
        return [str(mistake).removeprefix("m.yml:") for mistake in caught.value.mistakes]

    return read_mistakes


Read = Callable[[str], tuple[Metric, ...]]
Mistakes = Callable[[str], list[str]]


# Files that are right -----------------------------------------------------------------------


def by_name(path: pathlib.Path) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics_file.read(str(path), COLLECTOR)}


def test_cloudkittys_file_of_2018_is_read() -> None:
    metrics = by_name(DATA / "cloudkitty-rocky-metrics.yml")
    assert list(metrics) == [
        "cpu", "image.size", "volume.size", "network.outgoing.bytes",
        "network.incoming.bytes", "ip.floating", "radosgw.objects.size",
    ]  # fmt: skip
    assert metrics["cpu"] == Metric(
        name="cpu",
        public_name="instance",
        unit="instance",
        factor=Fraction(1),
        offset=Fraction(0),
        groupby=("id", "project_id"),
        metadata=("flavor", "flavor_id", "vcpus"),
        mutate=Mutate.NUMBOOL,
        extra_args=GnocchiArgs("instance", "id", "max", None, 3600, True),
    )
    assert metrics["image.size"].factor == Fraction(1, 2**20)
    assert metrics["radosgw.objects.size"].factor == Fraction(1, 2**30)
    assert metrics["radosgw.objects.size"].metadata == ()


def test_cloudkittys_file_of_2026_is_read() -> None:
    metrics = by_name(DATA / "cloudkitty-2026-metrics.yml")
    assert len(metrics) == 7
    assert metrics["cpu"].public_name == "instance"
    assert metrics["cpu"].extra_args == GnocchiArgs("instance", "id", "mean", None, 300, True)
    assert metrics["network.incoming.bytes.rate"].factor == Fraction(3600, 10**6)
    assert metrics["network.incoming.bytes.rate"].public_name == "network.incoming.bytes.rate"


def test_the_file_that_ratekit_brings_is_read() -> None:
    assert by_name(REPO / "etc/ratekit/metrics.yml")


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("1/3", Fraction(1, 3)), ("'1 / 3'", Fraction(1, 3)), ("-1/3", Fraction(-1, 3)),
        ("3600/1000000", Fraction(9, 2500)), ("1.5/4", Fraction(3, 8)), ("1/0.5", Fraction(2)),
        ("0.1", Fraction(1, 10)), ("'0.1'", Fraction(1, 10)), ("2", Fraction(2)),
        ("-2.5", Fraction(-5, 2)), ("1e-6", Fraction(1, 10**6)), ("1.5e3", Fraction(1500)),
        ("0.1234567890123456789", Fraction(1234567890123456789, 10**19)),
    ],
)  # fmt: skip
def test_factors_and_offsets_are_exact(read: Read, text: str, factor: Fraction) -> None:
    [metric] = read(f"{START}    factor: {text}\n    offset: {text}\n")
    assert (metric.factor, metric.offset) == (factor, factor)


def test_what_is_left_out_has_cloudkittys_default(read: Read) -> None:
    [metric] = read(START)
    assert metric == Metric(
        "cpu", "cpu", "instance", Fraction(1), Fraction(0), (), (), Mutate.NONE,
        GnocchiArgs("instance", "id", "max", None, 3600, True),
    )  # fmt: skip


def test_every_mutation_has_cloudkittys_name(read: Read) -> None:
    for mutate in Mutate:
        extra = "    mutate_map: {1: 2}\n" if mutate is Mutate.MAP else ""
        [metric] = read(f"{START}    mutate: {mutate.name}\n{extra}")
        assert metric.mutate is mutate


def test_a_map_is_exact(read: Read) -> None:
    [metric] = read(f"{START}    mutate: MAP\n    mutate_map: {{0: 0, 1/3: 0.1, '2': 1e-6}}\n")
    assert metric.mutate_map == {
        Fraction(0): Fraction(0), Fraction(1, 3): Fraction(1, 10), Fraction(2): Fraction(1, 10**6),
    }  # fmt: skip


def test_one_metric_may_have_several_definitions(read: Read) -> None:
    text = (
        "metrics:\n  cpu:\n"
        "    - {unit: instance, alt_name: instance, extra_args: {resource_type: instance}}\n"
        "    - {unit: vcpu, alt_name: vcpus, factor: 2, extra_args: {resource_type: instance}}\n"
    )
    first, second = read(text)
    assert (first.name, first.public_name, str(first.factor)) == ("cpu", "instance", "1")
    assert (second.name, second.public_name, str(second.factor)) == ("cpu", "vcpus", "2")


def test_the_further_keys_are_read(read: Read) -> None:
    [metric] = read(
        f"{START}    description: what it is\n    prorate: true\n    skip_zero: true\n"
        '    skip_datapoints_expression: datapoint.get("vol", {}).get("qty", 0) == 0\n'
    )
    assert (metric.description, metric.prorate, metric.skip_zero) == ("what it is", True, True)
    assert metric.skip is not None
    series = Series("p", "cpu", "instance", {}, {}, [(EPOCH, Decimal(1))])
    assert metric.skip(series, Decimal(0), Decimal(5))
    assert not metric.skip(series, Decimal(1), Decimal(0))


def test_definitions_may_share_lines(read: Read) -> None:
    cpu, memory = read(
        "metrics:\n  cpu: &base\n    unit: u\n    groupby: [id]\n"
        "    extra_args: {resource_type: instance}\n  memory:\n    <<: *base\n    unit: MiB\n"
    )
    assert (cpu.groupby, cpu.unit) == (("id",), "u")
    assert (memory.groupby, memory.unit) == (("id",), "MiB")


@pytest.mark.parametrize("method", ["mean", "95pct", "rate:mean", "rate:95pct", "nunique", "std"])
def test_what_gnocchi_can_store_can_be_read(read: Read, method: str) -> None:
    [metric] = read(
        "metrics: {cpu: {unit: u, extra_args: {resource_type: i, "
        f"aggregation_method: '{method}'}}}}}}"
    )
    assert isinstance(metric.extra_args, GnocchiArgs)
    assert metric.extra_args.aggregation_method == method


# Mistakes -------------------------------------------------------------------------------------

_METHODS = "mean, sum, last, max, min, std, median, first, count, nunique"
_NUMBER = "expected a number or a fraction such as 1/1024"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("grupby: [id]", "grupby: unknown key (did you mean 'groupby'?)"),
        ("groupby: id", "groupby: expected a list, not 'id'"),
        ("groupby: [id, 5]", "groupby[1]: expected a string, not 5"),
        ("groupby: [id, '']", "groupby[1]: must not be empty"),
        ("groupby: [id, name, id]", "groupby: contains 'id' twice"),
        ("metadata: [a, a]", "metadata: contains 'a' twice"),
        ("factor: 1/0", "factor: divides by zero: '1/0'"),
        ("factor: abc", f"factor: {_NUMBER}, not 'abc'"),
        ("factor: 1/-3", f"factor: {_NUMBER}, not '1/-3'"),
        ("factor: 1/2/3", f"factor: {_NUMBER}, not '1/2/3'"),
        ("factor: 010", f"factor: {_NUMBER}, not '010'"),
        ("factor: 1:30", f"factor: {_NUMBER}, not '1:30'"),
        ("factor: yes", f"factor: {_NUMBER}, not true"),
        ("factor:", f"factor: {_NUMBER}, not nothing"),
        ("factor: .nan", f"factor: {_NUMBER}, not '.nan'"),
        ("offset: [1]", f"offset: {_NUMBER}, not [1]"),
        (
            "mutate: NUMBOL",
            "mutate: expected one of NONE, NUMBOOL, NOTNUMBOOL, FLOOR, CEIL, MAP, not 'NUMBOL' "
            "(did you mean 'NUMBOOL'?)",
        ),
        (
            "mutate:",
            "mutate: expected one of NONE, NUMBOOL, NOTNUMBOOL, FLOOR, CEIL, MAP, not nothing",
        ),
        ("unit: again", "unit: duplicate key"),
        ("alt_name: ''", "alt_name: must not be empty"),
        ("alt_name: yes", "alt_name: expected a string, not true"),
        ("alt_name: ' vm'", "alt_name: has leading or trailing whitespace: ' vm'"),
        ('groupby: [id, "name\\t"]', "groupby[1]: has leading or trailing whitespace: 'name\\t'"),
        ("description: [words]", "description: expected a string, not ['words']"),
        ("mutate_map: {1: 2}", "mutate_map: is allowed only with mutate: MAP, not NONE"),
        ("prorate: perhaps", "prorate: expected true or false, not 'perhaps'"),
        ("skip_zero: [1]", "skip_zero: expected true or false, not [1]"),
    ],
)
def test_a_mistake_in_a_metric_is_one_line(mistakes: Mistakes, line: str, message: str) -> None:
    assert mistakes(f"{START}    {line}\n") == [f"5: metrics.cpu.{message}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("agregation_method: max", "agregation_method: unknown key "
         "(did you mean 'aggregation_method'?)"),
        ("aggregation_method: maxx", f"aggregation_method: expected one of {_METHODS}, "
         "1pct to 99pct, or one of them after 'rate:', not 'maxx' (did you mean 'max'?)"),
        ("aggregation_method: 100pct", f"aggregation_method: expected one of {_METHODS}, "
         "1pct to 99pct, or one of them after 'rate:', not '100pct'"),
        ("re_aggregation_method: meen", "re_aggregation_method: expected one of count, first, "
         "last, max, mean, median, min, sum, or one of first, last, max, mean, median, min, sum "
         "after 'rate:', not 'meen' (did you mean 'mean'?)"),
        ("force_granularity: -300", "force_granularity: expected seconds, not -300"),
        ("force_granularity: 7", "force_granularity: 7 does not divide the collect period, 3600"),
        ("force_granularity: 7200",
         "force_granularity: 7200 does not divide the collect period, 3600"),
        ("force_granularity: 5m", "force_granularity: expected a whole number, not '5m'"),
        ("force_granularity: 0.5", "force_granularity: expected a whole number, not 0.5"),
        ("force_granularity: yes", "force_granularity: expected a whole number, not true"),
        ("use_all_resource_revisions: perhaps",
         "use_all_resource_revisions: expected true or false, not 'perhaps'"),
        ("resource_key: ''", "resource_key: must not be empty"),
        ("skip_zero: true", "skip_zero: unknown key"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_collectors_settings_is_one_line(
    mistakes: Mistakes, line: str, message: str
) -> None:
    text = (
        "metrics:\n  cpu:\n    unit: u\n    extra_args:\n"
        f"      resource_type: instance\n      {line}\n"
    )
    assert mistakes(text) == [f"6: metrics.cpu.extra_args.{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " expected a mapping (key: value), not nothing"),
        ("- cpu\n", "1: expected a mapping (key: value), not ['cpu']"),
        ("metrics:\n", "1: metrics: expected a mapping (key: value), not nothing"),
        ("metrics: {}\n", "1: metrics: must not be empty"),
        ("metrics: [cpu]\n", "1: metrics: expected a mapping (key: value), not ['cpu']"),
        ("metrics: {cpu: []}\n", "1: metrics.cpu: expected at least one definition"),
        ("metrics: cpu\n", "1: metrics: expected a mapping (key: value), not 'cpu'"),
        ("metrics:\n  cpu:\n", "2: metrics.cpu: expected a mapping (key: value), not nothing"),
        (
            "metrics:\n  cpu: [{unit: u}]\n",
            "2: metrics.cpu[0].extra_args: is required",
        ),
        (
            "metrics:\n  cpu: {unit: u, extra_args: }\n",
            "2: metrics.cpu.extra_args: expected a mapping (key: value), not nothing",
        ),
        ("metrics:\n  cpu: {unit: u}\n", "2: metrics.cpu.extra_args: is required"),
        (
            "metrics:\n  cpu:\n    unit: u\n    extra_args: {}\n",
            "4: metrics.cpu.extra_args.resource_type: is required",
        ),
        (
            "metrics:\n  cpu: {extra_args: {resource_type: i}}\n",
            "2: metrics.cpu.unit: is required",
        ),
        (
            "metrics:\n  '': {unit: u, extra_args: {resource_type: i}}\n",
            "2: metrics.'': must not be empty",
        ),
        (START + "more: 1\n", "5: more: unknown key"),
    ],
)
def test_a_file_of_another_shape_is_rejected(mistakes: Mistakes, text: str, message: str) -> None:
    assert mistakes(text) == [message]


def test_a_label_is_in_groupby_or_in_metadata(mistakes: Mistakes) -> None:
    assert mistakes(f"{START}    groupby: [id, name]\n    metadata: [size, name]\n") == [
        "6: metrics.cpu.metadata: 'name' is already in groupby"
    ]


def test_two_metrics_cannot_have_one_public_name(mistakes: Mistakes) -> None:
    keys = "    unit: u\n    extra_args: {resource_type: i}\n"
    assert mistakes(f"{START}    alt_name: vm\n  b:\n    alt_name: vm\n{keys}  vm:\n{keys}") == [
        "6: metrics.b: public name 'vm' is already used by 'cpu'",
        "10: metrics.vm: public name 'vm' is already used by 'cpu'",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("disk.*", "contains '*', which makes it a pattern; expected the name of one metric"),
        ("cpu?", "contains '?', which makes it a pattern; expected the name of one metric"),
        ("'[ab]'", "contains '[', which makes it a pattern; expected the name of one metric"),
        ("' cpu'", "has leading or trailing whitespace: ' cpu'"),
    ],
)
def test_a_pattern_or_untrimmed_text_is_rejected_as_a_name(
    mistakes: Mistakes, name: str, message: str
) -> None:
    text = f"metrics:\n  {name}: {{unit: u, extra_args: {{resource_type: i}}}}\n"
    assert mistakes(text) == [f"2: metrics.{name.strip(chr(39))}: {message}"]


def test_a_mistake_hides_no_wrong_extra_arg_and_no_duplicate_name(mistakes: Mistakes) -> None:
    text = (
        "metrics:\n"
        "  cpu:\n"
        "    unit: [x]\n"
        "    alt_name: vm\n"
        "    extra_args: {resource_type: i, force_granularity: 7}\n"
        "  memory:\n"
        "    unit: u\n"
        "    unit: v\n"
        "    alt_name: vm\n"
        "    extra_args: {resource_type: i, force_granularity: 11}\n"
        "more: 1\n"
    )
    assert mistakes(text) == [
        "3: metrics.cpu.unit: expected a string, not ['x']",
        "5: metrics.cpu.extra_args.force_granularity: 7 does not divide the collect period, 3600",
        "6: metrics.memory: public name 'vm' is already used by 'cpu'",
        "8: metrics.memory.unit: duplicate key",
        "10: metrics.memory.extra_args.force_granularity: 11 does not divide the collect period, "
        "3600",
        "11: more: unknown key",
    ]


def test_all_mistakes_of_a_file_are_told_together(mistakes: Mistakes) -> None:
    assert mistakes(
        "metrics:\n"
        "  cpu:\n"
        "    unit: u\n"
        "    factor: x\n"
        "    extra_args: {resource_type: i, force_granularity: 7}\n"
        "  disk: [1]\n"
        "  net:\n"
        "    grupby: []\n"
        "    extra_args: {resource_tpye: i}\n"
    ) == [
        f"4: metrics.cpu.factor: {_NUMBER}, not 'x'",
        "5: metrics.cpu.extra_args.force_granularity: 7 does not divide the collect period, 3600",
        "6: metrics.disk[0]: expected a mapping (key: value), not 1",
        "7: metrics.net.unit: is required",
        "8: metrics.net.grupby: unknown key (did you mean 'groupby'?)",
        "9: metrics.net.extra_args.resource_type: is required",
        "9: metrics.net.extra_args.resource_tpye: unknown key (did you mean 'resource_type'?)",
    ]


def test_the_operator_gets_the_path_as_given(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.OperatorError) as caught:
        metrics_file.read("none.yml", COLLECTOR)
    assert str(caught.value) == "none.yml: cannot be read: No such file or directory"


@pytest.mark.parametrize("map_", ["", "    mutate_map: {}\n", "    mutate_map: {1: 1, 1.0: 2}\n"])
def test_a_map_is_needed_and_unambiguous(mistakes: Mistakes, map_: str) -> None:
    [line] = mistakes(f"{START}    mutate: MAP\n{map_}")
    assert "mutate_map" in line


@pytest.mark.parametrize("expression", ["x", "1 +", "open('/etc/passwd')", "datapoint.__class__"])
def test_an_expression_that_cannot_be_understood_is_rejected_at_once(
    mistakes: Mistakes, expression: str
) -> None:
    [line] = mistakes(f'{START}    skip_datapoints_expression: "{expression}"\n')
    assert line.startswith("5: metrics.cpu.skip_datapoints_expression: ")


def test_definitions_of_one_metric_need_different_public_names(mistakes: Mistakes) -> None:
    entry = "{unit: u, extra_args: {resource_type: i}}"
    assert mistakes(f"metrics:\n  cpu:\n    - {entry}\n    - {entry}\n") == [
        "4: metrics.cpu[1]: public name 'cpu' is already used by 'cpu[0]'"
    ]


def test_a_sum_is_not_prorated(mistakes: Mistakes) -> None:
    text = (
        "metrics:\n  cpu:\n    unit: u\n    prorate: true\n    extra_args:\n"
        "      resource_type: instance\n      aggregation_method: sum\n"
    )
    [line] = mistakes(text)
    assert "prorate" in line
