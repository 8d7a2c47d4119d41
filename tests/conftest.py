"""What all tests share: property tests are the same each time, and few enough to be quick.

``pytest --hypothesis-profile=thorough`` looks for new counterexamples.
"""

from hypothesis import settings

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile("quick")
