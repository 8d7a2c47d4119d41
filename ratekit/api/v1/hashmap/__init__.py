"""``/v1/rating/module_config/hashmap``: price rules, one by one.

A change applies from the next period on, whatever the verb: the prices of rated periods never
change by it.
"""
