"""What a bill consists of, for pages, files and exports: exact sums, as they are stored."""

from ratekit.admin.bill.bill import Bill, read_bill
from ratekit.admin.bill.month import MonthComparison, read_month
from ratekit.admin.bill.reader import fitting_bucket, read_statement
from ratekit.admin.bill.statement import Part, ProjectCharge, Statement
from ratekit.admin.bill.sums import MetricCharge

__all__ = [
    "Bill",
    "MetricCharge",
    "MonthComparison",
    "Part",
    "ProjectCharge",
    "Statement",
    "fitting_bucket",
    "read_bill",
    "read_month",
    "read_statement",
]
