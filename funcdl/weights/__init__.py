"""Parameters from and to the names and layouts of PyTorch, Flax and Keras."""

from funcdl.weights.convert import from_flax as from_flax
from funcdl.weights.convert import from_keras as from_keras
from funcdl.weights.convert import from_torch as from_torch
from funcdl.weights.convert import to_flax as to_flax
from funcdl.weights.convert import to_keras as to_keras
from funcdl.weights.convert import to_torch as to_torch
from funcdl.weights.rules import Place as Place
