"""`python -m streamvsr` is `streamvsr`."""

import sys

from streamvsr.cli import main

sys.exit(main())
