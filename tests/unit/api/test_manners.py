"""What clients of CloudKitty ask beside bills and rules: metrics, collectors, scripts."""

from __future__ import annotations

import os
import pathlib

import pytest

from ratekit.api.metrics import MetricsWatch
from ratekit.storage import migrate
from tests.api_client import Client
from tests.databases import new_database

METRICS = """\
metrics:
  cpu:
    unit: instance
    alt_name: instance
    groupby: [id, user_id]
    metadata: [flavor_name]
    extra_args:
      aggregation_method: mean
      resource_type: instance
      custom_query: "(aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD))"
  volume.size:
    - unit: GiB
      factor: 1/1024
      groupby: [project_id]
      extra_args: {aggregation_method: max, resource_type: volume, resource_key: volume}
    - unit: GiB
      alt_name: volume.ssd
      factor: 0.10
      extra_args: {aggregation_method: max, resource_type: volume}
"""
BROKEN = METRICS.replace("unit: instance", "unti: instance")


@pytest.fixture
def metrics(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "metrics.yml"
    path.write_text(METRICS)
    return path


@pytest.fixture
def client(tmp_path: pathlib.Path, metrics: pathlib.Path) -> Client:
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        return Client(tmp_path, url, f"[collect]\nmetrics_conf = {metrics}\n")


def replace(path: pathlib.Path, text: str) -> None:
    """Replace a file as editors do, so that two writes within a tick of the clock differ."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


# Metrics --------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["metrics", "services"])
def test_a_metric_has_all_labels_that_a_rule_may_look_at(client: Client, noun: str) -> None:
    listing = client.get(f"/v1/info/{noun}").body[noun]
    assert listing == [
        {
            "metric_id": "instance",
            "unit": "instance",
            "metadata": ["flavor_name", "id", "project_id", "user_id"],
        },
        {"metric_id": "volume.size", "unit": "GiB", "metadata": ["project_id", "volume"]},
        {"metric_id": "volume.ssd", "unit": "GiB", "metadata": ["id", "project_id"]},
    ]
    assert client.get(f"/v1/info/{noun}/volume.ssd").body == listing[2]
    missing = client.get(f"/v1/info/{noun}/cpu")
    assert (missing.status, missing.body["faultstring"]) == (404, "cpu")


def test_the_configuration_is_the_file_without_queries(client: Client) -> None:
    body = client.get("/v1/info/config").body
    assert body == {
        "metrics": {
            "cpu": {
                "unit": "instance",
                "alt_name": "instance",
                "groupby": ["id", "user_id"],
                "metadata": ["flavor_name"],
                "extra_args": {"aggregation_method": "mean", "resource_type": "instance"},
            },
            "volume.size": [
                {
                    "unit": "GiB",
                    "factor": "1/1024",
                    "groupby": ["project_id"],
                    "metadata": [],
                    "extra_args": {
                        "aggregation_method": "max",
                        "resource_type": "volume",
                        "resource_key": "volume",
                    },
                },
                {
                    "unit": "GiB",
                    "alt_name": "volume.ssd",
                    "factor": "0.1",
                    "groupby": [],
                    "metadata": [],
                    "extra_args": {"aggregation_method": "max", "resource_type": "volume"},
                },
            ],
        }
    }


def test_a_file_that_changes_is_read_again(client: Client, metrics: pathlib.Path) -> None:
    assert client.get("/v1/info/metrics/instance").status == 200
    replace(metrics, METRICS.replace("alt_name: instance", "alt_name: server"))
    assert client.get("/v1/info/metrics/instance").status == 404
    assert client.get("/v1/info/metrics/server").status == 200
    assert "server" in client.get("/v1/info/config").text


def test_a_file_that_breaks_leaves_the_metrics_as_they_were(
    client: Client, metrics: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = client.get("/v1/info/config").body
    replace(metrics, BROKEN)
    assert client.get("/v1/info/config").body == before
    assert client.get("/v1/info/metrics/instance").status == 200
    # Once, with its line, not with each request.
    assert [record.message for record in caplog.records if "unti" in record.message] == [
        f"{metrics}:3: metrics.cpu.unti: unknown key (did you mean 'unit'?); the API goes on with "
        "the metrics that it has read before"
    ]
    replace(metrics, METRICS.replace("alt_name: instance", "alt_name: server"))
    assert client.get("/v1/info/metrics/server").status == 200


def test_without_a_file_the_metrics_are_unavailable_and_a_client_learns_no_path(
    client: Client, metrics: pathlib.Path
) -> None:
    metrics.unlink()
    response = client.get("/v1/info/metrics")
    assert response.status == 503
    assert response.headers["retry-after"]
    assert str(metrics.parent) not in response.text
    replace(metrics, METRICS)
    assert client.get("/v1/info/metrics").status == 200


def test_a_file_is_read_once_while_it_stays_the_same(client: Client) -> None:
    file = MetricsWatch(client.conf)
    assert file.read() is file.read()


# Collectors -----------------------------------------------------------------------------------


def test_there_is_one_collector_and_nothing_is_mapped(client: Client) -> None:
    assert client.get("/v1/collector/mappings").body == {"mappings": []}
    assert client.get("/v1/collector/mappings", collector="gnocchi").body == {"mappings": []}
    assert client.get("/v1/collector/mappings/instance").status == 404
    assert client.send("DELETE", "/v1/collector/mappings", {"service": "instance"}).status == 404
    assert client.send("DELETE", "/v1/collector/mappings/instance").status == 404
    for path, body in (
        ("/v1/collector/mappings", {"collector": "gnocchi", "service": "instance"}),
        ("/v1/collector/mappings/gnocchi/instance", None),
    ):
        response = client.send("POST", path, body)
        assert response.status == 501
        assert "metrics.yml" in response.body["faultstring"]


@pytest.mark.parametrize(
    "path",
    ["/v1/collector/states/{}", "/v1/collector/{}/states", "/v1/collector/states?name={}"],
)
def test_the_collector_in_use_is_enabled(client: Client, path: str) -> None:
    gnocchi, other = (client.get(path.format(name)).body for name in ("gnocchi", "other"))
    assert gnocchi == {"name": "gnocchi", "enabled": True}
    assert other == {"name": "other", "enabled": False}


@pytest.mark.parametrize(
    ("name", "enabled", "status"),
    [("gnocchi", True, 200), ("gnocchi", False, 501), ("other", False, 200), ("other", True, 501)],
)
def test_a_collector_stays_what_it_is(
    client: Client, name: str, enabled: bool, status: int
) -> None:
    response = client.send("PUT", "/v1/collector/states", {"name": name, "enabled": enabled})
    assert response.status == status
    if status == 200:
        assert response.body == {"name": name, "enabled": enabled}
    else:
        assert "[collect] collector" in response.body["faultstring"]


def test_the_client_leaves_out_what_is_false(client: Client) -> None:
    assert client.send("PUT", "/v1/collector/states", {"name": "other"}).status == 200
    assert client.send("PUT", "/v1/collector/states", {"name": "gnocchi"}).status == 501


# Modules --------------------------------------------------------------------------------------


def test_modules_need_no_reload(client: Client) -> None:
    response = client.get("/v1/rating/reload_modules")
    assert (response.status, response.text) == (204, "")


SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"


def test_there_are_no_scripts(client: Client) -> None:
    assert client.get(SCRIPTS, no_data=True).body == {"scripts": []}
    assert client.get(SCRIPTS).body == {"scripts": []}
    assert client.get(f"{SCRIPTS}/some-id").status == 404
    assert client.send("DELETE", SCRIPTS, {"script_id": "some-id"}).status == 404


@pytest.mark.parametrize("verb", ["POST", "PUT"])
def test_scripts_cannot_be_written(client: Client, verb: str) -> None:
    body = {"name": "x", "data": "print(1)"} | ({"script_id": "1"} if verb == "PUT" else {})
    response = client.send(verb, f"{SCRIPTS}/", body)
    assert response.status == 501
    assert "Python" in response.body["faultstring"]


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("module", ["noop", "fake1"])
def test_other_modules_have_no_configuration(client: Client, verb: str, module: str) -> None:
    response = client.send(verb, f"/v1/rating/module_config/{module}")
    assert response.status == 409
    assert module in response.body["faultstring"]
