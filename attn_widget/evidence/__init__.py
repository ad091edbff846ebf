"""What a map shows, in numbers: statistics of heads, and scores against the truth."""

from .localisation import energy_pointing as energy_pointing
from .localisation import iou as iou
from .localisation import pointing_game as pointing_game
from .localisation import relevance_rank as relevance_rank
from .localisation import saliency as saliency
from .statistics import confidence as confidence
from .statistics import entropy as entropy
from .statistics import mean_distance as mean_distance
from .statistics import next_token as next_token
from .statistics import previous_token as previous_token
from .statistics import relative_entropy as relative_entropy
from .statistics import sink_score as sink_score
