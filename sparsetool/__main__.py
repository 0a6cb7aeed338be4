"""`python -m sparsetool` is `sparsetool`."""

import sys

from sparsetool.cli import main

if __name__ == "__main__":
    sys.exit(main())
