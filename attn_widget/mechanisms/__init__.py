"""How attention comes about: scores, scale, masks, softmax, values, each step to be seen."""

from .softmax import FLOOR, masked_logits, softmax
from .steps import (
    Mechanism,
    Row,
    Steps,
    SupportsMechanism,
    SupportsPanels,
    panels_of,
    recompute,
)

__all__ = [
    "FLOOR",
    "Mechanism",
    "Row",
    "Steps",
    "SupportsMechanism",
    "SupportsPanels",
    "masked_logits",
    "panels_of",
    "recompute",
    "softmax",
]
