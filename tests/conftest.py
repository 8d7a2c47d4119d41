"""What all tests share: hypothesis' profiles.

Property tests are the same each time, and few enough to be quick;
``pytest --hypothesis-profile=thorough`` looks for new counterexamples.

The unit tests need the extra ``test`` alone, so nothing here may import what other extras bring.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile("quick")
