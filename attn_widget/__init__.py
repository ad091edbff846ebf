"""See what a model attends to."""

from . import evidence as evidence
from . import layouts as layouts
from . import methods as methods
from . import samples as samples
from .attention import Attention as Attention
from .axes import Axis as Axis
from .axes import Boxes as Boxes
from .axes import Patches as Patches
from .axes import Tokens as Tokens
from .capture import capture as capture
from .images import read_image as read_image
from .show import heads as heads
from .show import lines as lines
from .show import matrix as matrix
from .show import overlay as overlay
from .widget import AttentionWidget as AttentionWidget
