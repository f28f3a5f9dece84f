"""Activation functions: elementwise functions of one array, and gates that halve an axis.

Each keeps float32 and float64, passes NaN on, is stable for large arguments, and has
derivatives that are finite wherever its argument is. At a kink the derivative is the one of the side
on which the function is flatter: that of `relu` at 0 is 0.
"""

from funcdl.functional.activations.clipped import hard_sigmoid as hard_sigmoid
from funcdl.functional.activations.clipped import hard_silu as hard_silu
from funcdl.functional.activations.clipped import hard_tanh as hard_tanh
from funcdl.functional.activations.clipped import relu6 as relu6
from funcdl.functional.activations.gated import gelu as gelu
from funcdl.functional.activations.gated import glu as glu
from funcdl.functional.activations.gated import mish as mish
from funcdl.functional.activations.gated import silu as silu
from funcdl.functional.activations.rectified import celu as celu
from funcdl.functional.activations.rectified import elu as elu
from funcdl.functional.activations.rectified import leaky_relu as leaky_relu
from funcdl.functional.activations.rectified import prelu as prelu
from funcdl.functional.activations.rectified import relu as relu
from funcdl.functional.activations.rectified import selu as selu
from funcdl.functional.activations.shrink import hard_shrink as hard_shrink
from funcdl.functional.activations.shrink import soft_shrink as soft_shrink
from funcdl.functional.activations.shrink import tanh_shrink as tanh_shrink
from funcdl.functional.activations.shrink import threshold as threshold
from funcdl.functional.activations.sigmoidal import log_sigmoid as log_sigmoid
from funcdl.functional.activations.sigmoidal import sigmoid as sigmoid
from funcdl.functional.activations.sigmoidal import softplus as softplus
from funcdl.functional.activations.sigmoidal import softsign as softsign
from funcdl.functional.activations.sigmoidal import squareplus as squareplus
from funcdl.functional.activations.sigmoidal import tanh as tanh
