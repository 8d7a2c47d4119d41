"""``python -m tests.stack``."""

import sys

from tests.stack.cli import main

if __name__ == "__main__":
    sys.exit(main())
