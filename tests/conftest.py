"""What all tests share: hypothesis' profiles, and rarer collections of garbage.

Property tests are the same each time, and few enough to be quick;
``pytest --hypothesis-profile=thorough`` looks for new counterexamples.

The unit tests need the extra ``test`` alone, so nothing here may import what other extras bring.
"""

from __future__ import annotations

import gc

from hypothesis import settings

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Keep the garbage collector off what imports and collection have made: all of it stays.

    Looking through it again and again took a quarter of the time of tests in this process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
