"""Memory that the process no longer needs, given back to the machine."""

from __future__ import annotations

import ctypes
import gc


def give_back_memory() -> None:
    """Have the C library return its free pages, which it keeps after a start or a busy time; a millisecond's work."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only the GNU library has it
    if trim is not None:
        trim(0)
