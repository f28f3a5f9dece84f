"""Random numbers as pure functions of a key, equal to those of `jax.random`.

A key is a uint32 array of two words. `key` makes one from a seed, `split` and `fold_in` make new ones
from it, and every other function draws from one; a key that was drawn from or split is used up. The
generator is Threefry-2x32, in the partitionable layout that is JAX's default: from the same seed come
bit by bit the same keys, bits, uniform numbers, integers, truth values, permutations and choices as
on a CPU in JAX, and normal and other continuous numbers equal to rounding.

The distributions that need rejection sampling (gamma, beta, Dirichlet, Poisson, binomial, ...) are
not here: their loops depend on the values drawn.

>>> from funcdl import random
>>> key, subkey = random.split(random.key(42))
>>> random.normal(subkey, (2,)).round(4)
array([0.6058, 0.799 ], dtype=float32)
"""

from funcdl.random.continuous import cauchy as cauchy
from funcdl.random.continuous import exponential as exponential
from funcdl.random.continuous import gumbel as gumbel
from funcdl.random.continuous import laplace as laplace
from funcdl.random.continuous import logistic as logistic
from funcdl.random.continuous import lognormal as lognormal
from funcdl.random.continuous import normal as normal
from funcdl.random.continuous import truncated_normal as truncated_normal
from funcdl.random.discrete import bernoulli as bernoulli
from funcdl.random.discrete import rademacher as rademacher
from funcdl.random.discrete import randint as randint
from funcdl.random.keys import bits as bits
from funcdl.random.keys import fold_in as fold_in
from funcdl.random.keys import key as key
from funcdl.random.keys import split as split
from funcdl.random.multivariate import multivariate_normal as multivariate_normal
from funcdl.random.multivariate import orthogonal as orthogonal
from funcdl.random.reuse import KeyReuseError as KeyReuseError
from funcdl.random.reuse import check_key_reuse as check_key_reuse
from funcdl.random.selection import categorical as categorical
from funcdl.random.selection import choice as choice
from funcdl.random.selection import permutation as permutation
from funcdl.random.uniforms import uniform as uniform
