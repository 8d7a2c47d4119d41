"""[export]: who bills whom, in files for accounting systems."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "export"

OPTS = [
    cfg.StrOpt(
        "provider",
        default="OpenStack",
        max_length=255,
        help="Name of the cloud's provider. In FOCUS it is provider, publisher and issuer of "
        "invoices.",
    ),
    cfg.StrOpt(
        "billing_account_id",
        default="openstack",
        max_length=255,
        help="ID of the account that is invoiced. In FOCUS it is the billing account of all "
        "charges, and each project is a sub account.",
    ),
    cfg.StrOpt(
        "billing_account_name",
        default="OpenStack",
        max_length=255,
        help="Name of this account.",
    ),
    cfg.StrOpt(
        "region",
        default="",
        max_length=255,
        help="Region of usage without a label region or region_id. Default: none.",
    ),
]
