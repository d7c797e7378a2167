"""The node agent: takes orders from its queue, runs apps, and tells what happened. It never imports `webfront`."""

from typing import Final

VERSION: Final = "0.1.0"
"""The package's version. Here rather than asked of importlib.metadata, which would bring a mail parser into memory."""
