"""The states of a widget: their defaults, what they take and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import attn_widget as aw

Make = Callable[..., aw.AttentionWidget]

DEFAULTS: dict[str, Any] = {
    "view": "lines",
    "map": "attention",
    "step": 0,
    "layer": 0,
    "heads": (),
    "combine": "each",
    "direction": "attends_to",
    "pinned_queries": (),
    "pinned_keys": (),
    "mass": 1.0,
    "threshold": 0.0,
    "top_k": None,
    "special": "show",
    "words": False,
    "links": (),
    "whole": None,
    "orientation": "vertical",
    "scale": "absolute",
    "theme": "auto",
    "height": None,
    "observe_hover": False,
}

# What is given, and what is held then.
TAKEN: list[tuple[str, Any, Any]] = [
    ("view", "lines", "lines"),
    ("map", np.str_("attention"), "attention"),
    ("step", 0, 0),
    ("layer", np.int64(2), 2),
    ("layer", np.uint8(1), 1),
    ("layer", np.array(2), 2),
    ("heads", [3, 1], (3, 1)),
    ("heads", range(2), (0, 1)),
    ("heads", np.array([2, 0]), (2, 0)),
    ("heads", 2, (2,)),
    ("heads", np.int32(2), (2,)),
    ("heads", {1}, (1,)),
    ("heads", (head for head in (1, 2)), (1, 2)),
    ("heads", [1, 1, 0], (1, 0)),
    ("heads", None, None),
    ("heads", [], ()),
    ("combine", "max", "max"),
    ("direction", np.str_("attended_by"), "attended_by"),
    ("pinned_queries", [4, 0], (4, 0)),
    ("pinned_keys", 5, (5,)),
    ("pinned_keys", np.array([], int), ()),
    ("mass", 1, 1.0),
    ("mass", np.float32(0.5), 0.5),
    ("mass", 0, 0.0),
    ("threshold", np.float64(0.25), 0.25),
    ("threshold", 7, 7.0),
    ("top_k", np.int16(3), 3),
    ("top_k", None, None),
    ("special", "renormalise", "renormalise"),
    ("words", True, True),
    ("words", np.True_, True),
    ("links", [[1, 2], (0, 0), (1, 2)], ((0, 0), (1, 2))),
    ("links", np.array([[4, 5]]), ((4, 5),)),
    ("links", {(1, 0)}, ((1, 0),)),
    ("whole", np.False_, False),
    ("whole", None, None),
    ("orientation", "horizontal", "horizontal"),
    ("scale", "times_uniform", "times_uniform"),
    ("theme", "dark", "dark"),
    ("height", 480, 480),
    ("height", None, None),
    ("observe_hover", True, True),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("view", "matrix", "view must be one of 'lines'; got 'matrix'"),
    ("view", 1, "view must be one of 'lines'; got 1"),
    ("map", "other", "map must be one of 'attention'; got 'other'"),
    ("map", 3, "map must be a string; got 3"),
    ("map", None, "map must be a string; got None"),
    ("step", 1, "step must be within 0 and 0; got 1"),
    ("step", -1, "step must be an int of at least 0; got -1"),
    ("layer", 3, "layer must be within 0 and 2; got 3"),
    ("layer", -1, "layer must be an int of at least 0; got -1"),
    ("layer", 1.0, "layer must be an int of at least 0; got 1.0"),
    ("layer", "1", "layer must be an int of at least 0; got '1'"),
    ("layer", True, "layer must be an int of at least 0; got True"),
    ("layer", None, "layer must be an int of at least 0; got None"),
    ("heads", [0, 4], "heads must be within 0 and 3; got 4"),
    ("heads", [-1], "heads must be ints of at least 0; got [-1]"),
    ("heads", "01", "heads must be ints of at least 0; got '01'"),
    ("heads", b"\x00\x01", "heads must be ints of at least 0; got b'\\x00\\x01'"),
    ("heads", {0: 1}, "heads must be ints of at least 0; got {0: 1}"),
    ("heads", [0.0], "heads must be ints of at least 0; got [0.0]"),
    ("heads", [True], "heads must be ints of at least 0; got [True]"),
    ("heads", [[0]], "heads must be ints of at least 0; got [[0]]"),
    ("heads", np.array(0.5), "heads must be ints of at least 0; got array(0.5)"),
    ("combine", "median", "combine must be one of 'each', 'mean', 'max'; got 'median'"),
    ("direction", "to", "direction must be one of 'attends_to', 'attended_by'; got 'to'"),
    ("pinned_queries", [5], "pinned_queries must be within 0 and 4; got 5"),
    ("pinned_queries", None, "pinned_queries must be ints of at least 0; got None"),
    ("pinned_keys", [6], "pinned_keys must be within 0 and 5; got 6"),
    ("pinned_keys", 1.5, "pinned_keys must be ints of at least 0; got 1.5"),
    ("mass", 1.01, "mass must be a number of at least 0, at most 1; got 1.01"),
    ("mass", -0.1, "mass must be a number of at least 0, at most 1; got -0.1"),
    ("mass", float("nan"), "mass must be a number of at least 0, at most 1; got nan"),
    ("mass", "0.5", "mass must be a number of at least 0, at most 1; got '0.5'"),
    ("mass", None, "mass must be a number of at least 0, at most 1; got None"),
    ("mass", True, "mass must be a number of at least 0, at most 1; got True"),
    ("threshold", -1, "threshold must be a number of at least 0; got -1"),
    ("threshold", float("inf"), "threshold must be a number of at least 0; got inf"),
    ("top_k", 0, "top_k must be an int of at least 1 or None; got 0"),
    ("top_k", 2.5, "top_k must be an int of at least 1 or None; got 2.5"),
    ("special", "drop", "special must be one of 'show', 'hide', 'renormalise'; got 'drop'"),
    ("words", 1, "words must be True or False; got 1"),
    ("words", None, "words must be True or False; got None"),
    ("links", [(5, 0)], "links (query) must be within 0 and 4; got 5"),
    ("links", [(0, 6)], "links (key) must be within 0 and 5; got 6"),
    ("links", [(0, 1, 2)], "links must be pairs (query, key) of ints of at least 0; got (0, 1, 2)"),
    ("links", [3], "links must be pairs (query, key) of ints of at least 0; got 3"),
    ("links", "ab", "links must be pairs (query, key) of ints of at least 0; got 'ab'"),
    ("links", None, "links must be pairs (query, key) of ints of at least 0; got None"),
    ("whole", "yes", "whole must be True, False or None; got 'yes'"),
    ("orientation", "diagonal", "orientation must be one of 'vertical', 'horizontal'; got"),
    ("scale", "linear", "scale must be one of 'absolute', 'row', 'sqrt', 'log', 'times_uniform'"),
    ("theme", "sepia", "theme must be one of 'auto', 'light', 'dark'; got 'sepia'"),
    ("height", 50, "height must be an int of at least 120 or None; got 50"),
    ("height", "4em", "height must be an int of at least 120 or None; got '4em'"),
    ("observe_hover", "no", "observe_hover must be True or False; got 'no'"),
]


def attention(**options: Any) -> aw.Attention:
    """Make a map of 3 layers, 4 heads, 5 queries and 6 keys, with words on both sides."""
    values = np.random.default_rng(0).random((3, 4, 5, 6), np.float32)
    labels = [*"abcdef"]
    return aw.Attention(
        values,
        aw.Tokens(labels[:5], words=[0, 0, 1, 1, 2]),
        aw.Tokens(labels, words=[0, 1, 1, 2, 2, 3]),
        **options,
    )
