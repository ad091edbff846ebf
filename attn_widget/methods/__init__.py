"""Maps made from maps: each takes an `Attention` and returns an `Attention`."""

from __future__ import annotations

from .aggregate import maximum as maximum
from .aggregate import mean as mean
from .aggregate import minimum as minimum
from .compare import chained as chained
from .compare import difference as difference
from .compare import relative as relative
from .contributions import alti as alti
from .contributions import contributions as contributions
from .contributions import globenc as globenc
from .contributions import value_zeroing as value_zeroing
from .diffusion import daam as daam
from .effective import effective as effective
from .effective import free_directions as free_directions
from .flow import flow as flow
from .gradients import attention_gradient as attention_gradient
from .imported import imported as imported
from .lazy import prepared as prepared
from .positions import drop_positions as drop_positions
from .positions import removed_mass as removed_mass
from .registry import Method as Method
from .registry import available as available
from .relevance import relevance as relevance
from .relevance import relevance_co as relevance_co
from .relevance import relevance_encoder_decoder as relevance_encoder_decoder
from .rollout import gradient_rollout as gradient_rollout
from .rollout import rollout as rollout
from .value_norm import mixing_ratio as mixing_ratio
from .value_norm import value_norm as value_norm
from .words import merge_words as merge_words
