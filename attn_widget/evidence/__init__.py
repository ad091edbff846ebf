"""What a map shows, in numbers: statistics of heads, and scores against the truth."""

from .heads import describe as describe
from .heads import describe_steps as describe_steps
from .localisation import energy_pointing as energy_pointing
from .localisation import iou as iou
from .localisation import pointing_game as pointing_game
from .localisation import relevance_rank as relevance_rank
from .localisation import saliency as saliency
from .patterns import duplicate_pattern as duplicate_pattern
from .patterns import induction_pattern as induction_pattern
from .patterns import pattern_score as pattern_score
from .patterns import slash_sums as slash_sums
from .patterns import vertical_sums as vertical_sums
from .record import HeadStatistics as HeadStatistics
from .record import HeadValue as HeadValue
from .similarity import embed as embed
from .similarity import head_distances as head_distances
from .statistics import confidence as confidence
from .statistics import diagonal as diagonal
from .statistics import entropy as entropy
from .statistics import mean_distance as mean_distance
from .statistics import next_token as next_token
from .statistics import previous_token as previous_token
from .statistics import relative_entropy as relative_entropy
from .statistics import sink_score as sink_score
