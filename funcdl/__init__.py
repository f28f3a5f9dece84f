"""Deep learning in plain NumPy: pure functions, and the transforms that differentiate them.

>>> import numpy as np
>>> import funcdl as fd
>>> fd.grad(np.sin)(0.0)
np.float64(1.0)
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from funcdl._engine import refuse_foreign_engine

refuse_foreign_engine()

from transforms import ArrayType as ArrayType
from transforms import all_gather as all_gather
from transforms import associative_scan as associative_scan
from transforms import at as at
from transforms import axis_index as axis_index
from transforms import check_grads as check_grads
from transforms import checkpoint as checkpoint
from transforms import checkpoint_name as checkpoint_name
from transforms import closure_convert as closure_convert
from transforms import cond as cond
from transforms import conv as conv
from transforms import conv_transpose as conv_transpose
from transforms import custom_jvp as custom_jvp
from transforms import custom_linear_solve as custom_linear_solve
from transforms import custom_root as custom_root
from transforms import custom_vjp as custom_vjp
from transforms import debug as debug
from transforms import eval_shape as eval_shape
from transforms import fori_loop as fori_loop
from transforms import get_threads as get_threads
from transforms import grad as grad
from transforms import hessian as hessian
from transforms import hvp as hvp
from transforms import jacfwd as jacfwd
from transforms import jacobian as jacobian
from transforms import jacrev as jacrev
from transforms import jit as jit
from transforms import jvp as jvp
from transforms import linearize as linearize
from transforms import map as map  # noqa: A004 (the field calls it so)
from transforms import pmax as pmax
from transforms import pmean as pmean
from transforms import pmin as pmin
from transforms import psum as psum
from transforms import pure_callback as pure_callback
from transforms import reduce_window as reduce_window
from transforms import save_matmuls as save_matmuls
from transforms import save_names as save_names
from transforms import save_nothing as save_nothing
from transforms import scan as scan
from transforms import set_threads as set_threads
from transforms import stage as stage
from transforms import stop_gradient as stop_gradient
from transforms import switch as switch
from transforms import tree as tree
from transforms import triangular_solve as triangular_solve
from transforms import type_of as type_of
from transforms import value_and_grad as value_and_grad
from transforms import vjp as vjp
from transforms import vmap as vmap
from transforms import while_loop as while_loop

if TYPE_CHECKING:  # when the program runs, __getattr__ imports them
    from funcdl import audio as audio
    from funcdl import augment as augment
    from funcdl import checkpoints as checkpoints
    from funcdl import costs as costs
    from funcdl import data as data
    from funcdl import datasets as datasets
    from funcdl import distributed as distributed
    from funcdl import drawing as drawing
    from funcdl import export as export
    from funcdl import functional as functional
    from funcdl import initializers as initializers
    from funcdl import losses as losses
    from funcdl import metrics as metrics
    from funcdl import nn as nn
    from funcdl import optim as optim
    from funcdl import plot as plot
    from funcdl import random as random
    from funcdl import regularizers as regularizers
    from funcdl import summaries as summaries
    from funcdl import text as text
    from funcdl import training as training
    from funcdl import weights as weights
    from funcdl.costs import count_flops as count_flops
    from funcdl.drawing import dot as dot
    from funcdl.drawing import draw as draw
    from funcdl.summaries import summary as summary

_HOMES = {
    "count_flops": "costs",
    "dot": "drawing",
    "draw": "drawing",
    "summary": "summaries",
}


def __getattr__(name: str) -> Any:
    """Import a module of this package, or find a function of one, when it is first used.

    All of them together take several times as long to import as NumPy does.
    """
    home = f"{__name__}.{_HOMES.get(name, name)}"
    try:
        module = importlib.import_module(home)
    except ModuleNotFoundError as error:
        if error.name != home:
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
    if name not in _HOMES:
        return module
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    modules = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted({*globals(), *_HOMES, *(name for name in modules if not name.startswith("_"))})
