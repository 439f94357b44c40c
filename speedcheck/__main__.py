"""`python -m speedcheck` is the command `speedcheck`."""

import sys

from speedcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
