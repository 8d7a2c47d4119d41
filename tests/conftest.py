"""What all tests share: property tests are the same each time, and few enough to be quick."""

from hypothesis import settings

settings.register_profile(
    "ratekit", max_examples=60, deadline=None, derandomize=True, database=None
)
settings.load_profile("ratekit")
