"""ratekit hashmap: rule files checked, planned, applied and exported."""
