"""CloudKitty's tempest plug-in against a running ratekit-api with a real Keystone."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

import pytest

from tests.judges import environments, live_api
from tests.judges.conftest import FULL
from tests.judges.identity import Cloud
from tests.stack.keystone import REGION

pytestmark = pytest.mark.skipif(not FULL, reason="tempest is for the long profile")

_CONF = """
[DEFAULT]
log_dir = {folder}
[auth]
admin_username = {admin.name}
admin_password = {admin.password}
admin_project_name = {admin.project}
admin_domain_name = Default
use_dynamic_credentials = true
create_isolated_networks = false
[identity]
auth_version = v3
uri_v3 = {url}
region = {region}
[oslo_concurrency]
lock_path = {folder}
[service_available]
cloudkitty = true
nova = false
neutron = false
glance = false
cinder = false
swift = false
[rating_plugin]
service_name = rating
"""
_MODULES = ("test_cloudkitty_api", "test_hashmap_api", "test_pyscript_api")
_LINE = re.compile(r"^cloudkitty_tempest_plugin\.\S+\.(\w+\.\w+)(?:\[.*\])? \.\.\. (\w+)", re.M)
_SCRIPTS = "D11: there are no scripts"
_COLLECTORS = "D12: ratekit.conf names the collector, metrics.yml what it collects"
#: Tests that do not pass -> their outcome, and why.
EXPECTED: Mapping[str, tuple[str, str]] = {
    "CloudkittyAdminAPITest.test_create_get_delete_collector_mapping": ("FAIL", _COLLECTORS),
    "CloudkittyAdminAPITest.test_set_collector_state": ("FAIL", _COLLECTORS),
    "CloudkittyAdminAPITest.test_update_rating_module": (
        "FAIL",
        "D10: ratekit.conf decides which modules rate",
    ),
    "CloudkittyAdminAPITest.test_get_rated_tenants": ("skipped", "it always skips itself"),
    "CloudkittyPyscriptAPITest.test_create_update_delete_pyscript": ("FAIL", _SCRIPTS),
    "CloudkittyPyscriptAPITest.test_get_pyscript": ("FAIL", _SCRIPTS),
    "CloudkittyPyscriptAPITestNegative.test_update_script_negative": ("FAIL", _SCRIPTS),
}
_COUNT = 34


def test_the_plug_in_passes_but_for_what_is_expected(
    keystone: Cloud, tmp_path: pathlib.Path
) -> None:
    live_api.write_conf(tmp_path, keystone.conf)
    conf = _CONF.format(folder=tmp_path, admin=keystone.admin, url=keystone.url, region=REGION)
    (tmp_path / "tempest.conf").write_text(conf, encoding="utf-8")
    names = [f"cloudkitty_tempest_plugin.tests.api.v1.{module}" for module in _MODULES]
    python = environments.programs("tempest") / "python"
    with keystone.serve(tmp_path):
        result = environments.run(
            [str(python), "-W", "ignore", "-m", "testtools.run", "--verbose", *names],
            1800,
            variables={"TEMPEST_CONFIG_DIR": str(tmp_path)},
        )
    outcomes = dict(_LINE.findall(result.stdout + result.stderr))
    assert len(outcomes) == _COUNT, result.stdout + result.stderr
    deviations = {name: outcome for name, outcome in outcomes.items() if outcome != "ok"}
    expected = {name: outcome for name, (outcome, _) in EXPECTED.items()}
    assert deviations == expected, result.stdout + result.stderr
