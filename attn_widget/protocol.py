"""Names, versions and limits of what travels between kernel and page, in one place.

All binary data is little-endian. ``js/src/protocol.ts`` holds the same names; a test compares them.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

KINDS: Final = ("thumbnails", "region", "edges", "rows", "mechanism")
"""What the page may ask for."""

WHOLE_BYTES: Final = 2 * 1024 * 1024
"""Maps up to this size are sent whole: layer and head changes then need no kernel."""

LAYER_BYTES: Final = 3_500_000
"""Layers up to this size are sent whole when shown; larger ones travel as rows."""

ROWS_BYTES: Final = 1024 * 1024
"""Size of the rows that are sent unasked with a layer too large to be sent."""

MESSAGE_BYTES: Final = 4_000_000
"""No message is larger, unless labels alone are: some hosts drop the connection at 5 MB."""

MODULE_BYTES: Final = 200_000
"""Room in the first message for the widget's module and state."""

IMAGES_BYTES: Final = 1_600_000
"""Room for copies of the images of a map: beside them a small map still travels whole."""

FOCUS_ABOVE: Final = 200
"""With more tokens on either side, the lines view opens with hovered and pinned tokens only."""

MECHANISM_BYTES: Final = 1_500_000
"""Mechanisms of a head up to this size are sent whole: another query or key needs no kernel."""

EDGES_LIMIT: Final = 20_000
"""Most lines computed one by one in the kernel; weight beyond them is pooled."""

EDGES_CELLS: Final = 32 * 1024 * 1024
"""Most weights filtered for one answer: more would take longer than pages wait."""

FOG_CELLS: Final = 128
"""Pooled weight travels as at most this many blocks a side and head."""

LABEL_CHARACTERS: Final = 200
"""Longer labels are cut for the page; the exact label stays in Python."""

LABELS_BYTES: Final = 1_500_000
"""Where the labels of an axis take more, they are cut shorter, and only readable ones are sent."""
