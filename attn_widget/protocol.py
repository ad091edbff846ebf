"""Names, versions and limits of what travels between kernel and page, in one place.

All binary data is little-endian. ``js/src/protocol.ts`` holds the same names; a test compares them.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

WHOLE_BYTES: Final = 2 * 1024 * 1024
"""Maps up to this size are sent whole: layer and head changes then need no kernel."""

LAYER_BYTES: Final = 4_000_000
"""Layers up to this size are sent whole when shown; larger ones travel as rows."""

ROWS_BYTES: Final = 1024 * 1024
"""Size of the rows that are sent unasked with a layer too large to be sent."""

MESSAGE_BYTES: Final = 4_000_000
"""No message is larger: some hosts drop the connection at 5 MB."""

FOCUS_ABOVE: Final = 200
"""With more tokens on either side, the lines view opens with hovered and pinned tokens only."""

EDGES_LIMIT: Final = 20_000
"""Most lines computed one by one in the kernel; weight beyond them is pooled."""

FOG_CELLS: Final = 128
"""Pooled weight travels as at most this many blocks a side and head."""

LABEL_CHARACTERS: Final = 200
"""Longer labels are cut for the page; the exact label stays in Python."""
