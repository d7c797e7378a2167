"""Making message types safe for threads, before there are any.

msgspec works out how to decode a type when it first decodes one. A second thread that decodes the same type meanwhile
finds it half worked out, and the process ends with a segmentation fault (msgspec 0.22, shown by a test). So a process
with threads has every type worked out while it still has one.
"""

from __future__ import annotations

import msgspec


def prepare_structs() -> int:
    """Work out every `msgspec.Struct` that is imported by now; how many. Call it before the first thread is started."""
    waiting: list[type[msgspec.Struct]] = [msgspec.Struct]
    known: set[type[msgspec.Struct]] = set()
    while waiting:
        for found in waiting.pop().__subclasses__():
            if found not in known:
                known.add(found)
                waiting.append(found)
    for one in known:
        try:
            msgspec.json.Decoder(one)
        except TypeError:
            # It holds what can only be encoded, so nothing decodes it.
            continue
    return len(known)
