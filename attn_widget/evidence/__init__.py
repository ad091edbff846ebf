"""What a map shows, in numbers: statistics of heads, tests against the model and the truth."""

from typing import TYPE_CHECKING

from ..notes import Note as Note
from ..notes import notes as notes
from .agreement import RankAgreement as RankAgreement
from .agreement import leave_one_out_changes as leave_one_out_changes
from .agreement import rank_agreement as rank_agreement
from .alignment import alignment_error_rate as alignment_error_rate
from .alignment import alignment_f1 as alignment_f1
from .alignment import alignment_precision as alignment_precision
from .alignment import alignment_recall as alignment_recall
from .alignment import extract_alignment as extract_alignment
from .counterfactual import Counterfactual as Counterfactual
from .counterfactual import counterfactual as counterfactual
from .curves import Deletion as Deletion
from .curves import Insertion as Insertion
from .curves import auc as auc
from .curves import deletion as deletion
from .curves import insertion as insertion
from .divergence import jsd as jsd
from .divergence import tvd as tvd
from .erasure import Comprehensiveness as Comprehensiveness
from .erasure import Sufficiency as Sufficiency
from .erasure import aopc as aopc
from .erasure import comprehensiveness as comprehensiveness
from .erasure import sufficiency as sufficiency
from .finding import Finding as Finding
from .groups import Contrast as Contrast
from .groups import GroupComparison as GroupComparison
from .groups import compare_groups as compare_groups
from .heads import describe as describe
from .heads import describe_steps as describe_steps
from .importance import head_importance as head_importance
from .importance import outlier_keys as outlier_keys
from .localisation import energy_pointing as energy_pointing
from .localisation import iou as iou
from .localisation import pointing_game as pointing_game
from .localisation import relevance_rank as relevance_rank
from .localisation import saliency as saliency
from .localising import LocalisingHead as LocalisingHead
from .localising import localising_heads as localising_heads
from .localising import spatial_entropy as spatial_entropy
from .models import Erased as Erased
from .models import Reweighted as Reweighted
from .models import received as received
from .patterns import duplicate_pattern as duplicate_pattern
from .patterns import induction_pattern as induction_pattern
from .patterns import pattern_score as pattern_score
from .patterns import slash_sums as slash_sums
from .patterns import vertical_sums as vertical_sums
from .randomisation import Randomisation as Randomisation
from .randomisation import randomisation as randomisation
from .ranks import kendall_tau as kendall_tau
from .ranks import spearman as spearman
from .ranks import top_k_distance as top_k_distance
from .record import HeadStatistics as HeadStatistics
from .record import HeadValue as HeadValue
from .replacement import Permutation as Permutation
from .replacement import Uniform as Uniform
from .replacement import permutation as permutation
from .replacement import uniform as uniform
from .report import Report as Report
from .report import report as report
from .segmentation import average_precision as average_precision
from .segmentation import mean_iou as mean_iou
from .segmentation import pixel_accuracy as pixel_accuracy
from .similarity import embed as embed
from .similarity import head_distances as head_distances
from .stability import Stability as Stability
from .stability import stability as stability
from .statistics import confidence as confidence
from .statistics import diagonal as diagonal
from .statistics import entropy as entropy
from .statistics import mean_distance as mean_distance
from .statistics import next_token as next_token
from .statistics import previous_token as previous_token
from .statistics import relative_entropy as relative_entropy
from .statistics import sink_score as sink_score
from .truth import WeightOnTruth as WeightOnTruth
from .truth import weight_on_truth as weight_on_truth

if TYPE_CHECKING:
    from .torch_model import TorchModel as TorchModel
    from .torch_model import cascade as cascade

_NEED_TORCH = ("TorchModel", "cascade")


def __getattr__(name: str) -> object:
    """Import what needs PyTorch when it is asked for."""
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import torch_model
    except ImportError as error:
        raise ImportError(f"evidence.{name} needs PyTorch: pip install torch") from error
    return getattr(torch_model, name)


def __dir__() -> list[str]:
    """Name what is here and what comes when asked for."""
    return sorted({*globals(), *_NEED_TORCH})
