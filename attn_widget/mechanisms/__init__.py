"""How attention comes about: scores, scale, masks, softmax, values, each step to be seen."""

from .conditions import alibi_slopes
from .functions import (
    additive_attention,
    multiplicative_attention,
    scaled_dot_product_attention,
)
from .gradients import Gradients
from .local import LocalPosition
from .softmax import masked_logits, softmax
from .steps import (
    Mechanism,
    Row,
    Steps,
    SupportsMechanism,
    SupportsPanels,
    has_mechanism,
    panels_of,
    recompute,
    strongest_keys,
)
from .trace import Trace

__all__ = [
    "Gradients",
    "LocalPosition",
    "Mechanism",
    "Row",
    "Steps",
    "SupportsMechanism",
    "SupportsPanels",
    "Trace",
    "additive_attention",
    "alibi_slopes",
    "has_mechanism",
    "masked_logits",
    "multiplicative_attention",
    "panels_of",
    "recompute",
    "scaled_dot_product_attention",
    "softmax",
    "strongest_keys",
]
