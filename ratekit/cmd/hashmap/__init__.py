"""ratekit hashmap: check, plan, apply and export files of price rules, and show their history."""
