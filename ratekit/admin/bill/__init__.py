"""What a bill consists of, for pages, files and exports: exact sums, as they are stored."""

from ratekit.admin.bill.bill import Bill, ResourceCharge, read_bill
from ratekit.admin.bill.month import MonthComparison, read_month
from ratekit.admin.bill.sums import MetricCharge

__all__ = [
    "Bill",
    "MetricCharge",
    "MonthComparison",
    "ResourceCharge",
    "read_bill",
    "read_month",
]
