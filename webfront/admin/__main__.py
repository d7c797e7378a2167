"""`python -m webfront.admin`."""

import sys

from webfront.admin.main import main

sys.exit(main())
