"""Where numbers begin to call for care or to decide, each with its source, in one place."""

from __future__ import annotations

from typing import Final

SINK_SCORE: Final = 0.3
"""Mean weight from which a key is a sink: epsilon of Gu et al. 2024, section 3.1."""

SINK_TIMES_MEDIAN: Final = 10.0
"""A patch that is a sink receives more than so many times what the median patch does, …"""
SINK_TIMES_UNIFORM: Final = 3.0
"""… and any sink more than so many times what uniform attention would give: on 3 keys a weight of
0.3 is none. Own choice; Darcet et al. 2024 cut token norms at a like distance from the bulk."""
SINK_QUERIES: Final = 16
"""Of fewer queries all may well ask for one patch. Own choice."""

FEW_QUERIES: Final = 4
"""Of fewer queries all may well ask for one token, too. Own choice."""

NEAR_UNIFORM: Final = 0.85
"""Mean relative entropy from which a head looks at all keys nearly alike. Own choice, after the
very broad heads of Clark et al. 2019, section 3.3, with at most a tenth of their weight on any
word."""

FLATTENED: Final = 0.95
"""Mean relative entropy from which a rollout or flow says little: measured on random attention,
four layers of which give 0.98 (raw weights: 0.75). Abnar and Zuidema 2020 define both."""

SPECIAL_SHARE: Final = 0.5
"""Share of the weight on special tokens from which the rest is a remainder: over half of BERT's
attention in its middle layers falls on [SEP]; Clark et al. 2019, section 3.2."""

PADDING_SHARE: Final = 0.02
"""Share of the weight on padding that is no accident. Masked padding takes none. Own choice."""

ROW_SUM: Final = 0.01
"""How far the sum of a row may be from 1: rounding to float16 gives up to 0.0005 a row of
hundreds of keys, bfloat16 0.004. Learned sinks (softmax-1, Miller 2023) leave far more."""

UNSEEN_SHARE: Final = 0.01
"""Share of an image that no patch covers from which the map is one of a crop: less is rounding of
its borders. A centre crop of a 4:3 photograph leaves a quarter unseen."""

SAME_ANSWER: Final = 0.05
"""Answers no further apart count as the same: the wider of the two margins of Jain and Wallace
2019, section 4.2.2 (0.01 for classification, 0.05 for question answering)."""

OTHER_MAP: Final = 0.35
"""JSD from which on a map counts as another: half of ln 2, the most there can be. Own choice."""

LIKE_MAP: Final = 0.1
"""JSD up to which a map counts as much the same. Own choice: seeds of one small classifier reach
it."""

CHANCE: Final = 0.05
"""Share of random orders that may do as well before it counts as chance: the usual level."""

ALIKE: Final = 0.5
"""Rank correlation from which on the map of a random model is still that of the real one. Own
choice."""

UNLIKE: Final = 0.2
"""Rank correlation below which they have little in common. Own choice."""

STABLE_TOP: Final = 0.8
"""Share of rows that keep their strongest key from which on a map counts as stable. Own choice."""
