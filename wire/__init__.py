"""What the controller and a node both speak: messages, the door to the broker, and log records.

`webfront` and `node_scripts` import this package; it imports neither.
"""

from typing import Final

VERSION: Final = "0.1.0"
"""Skerry's version, of everything that is made from it. A line here rather than a question to importlib.metadata, which
would bring a mail parser into the agent's memory."""
