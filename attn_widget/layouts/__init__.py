"""The segments of the axes of real models: which position shows which part of which image.

A layout is the list of segments of one axis, ready for `Attention`. Pass ``count=``, the length
of the real axis, and a layout that does not fit raises with its arithmetic.
`docs/layouts.md` says which function fits which model.
"""

from .diffusion import joint as joint
from .diffusion import unet as unet
from .grids import detr as detr
from .grids import grid as grid
from .grids import llava as llava
from .grids import swin as swin
from .grids import vit as vit
from .orders import merge_order as merge_order
from .orders import newline_order as newline_order
from .orders import window_mask as window_mask
from .orders import window_merge_order as window_merge_order
from .orders import windows as windows
from .points import deformable as deformable
from .points import dots as dots
from .processors import from_processor as from_processor
from .qwen import qwen2_vl as qwen2_vl
from .qwen import smart_resize as smart_resize
from .sequence import boxes as boxes
from .sequence import mixed as mixed
from .sequence import position_at as position_at
from .tiles import idefics3 as idefics3
from .tiles import internvl as internvl
from .tiles import llava_next as llava_next
