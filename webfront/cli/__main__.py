"""`python -m webfront.cli`: the `skerry` command, where it is not installed as one."""

import sys

from webfront.cli import main

sys.exit(main())
