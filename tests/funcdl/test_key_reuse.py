"""`random.check_key_reuse`: the second use of a key is an error, and nothing else is."""

import inspect

import numpy as np
import pytest

from funcdl import nn, random
from transforms import grad, jit, vmap

ARGUMENTS = {
    "bernoulli": (0.5,),
    "categorical": (np.zeros(3),),
    "choice": (np.arange(4), (2,)),
    "multivariate_normal": (np.zeros(2), np.eye(2)),
    "orthogonal": (3,),
    "permutation": (5,),
    "randint": ((2,), 0, 9),
    "truncated_normal": (-1.0, 1.0),
}
DRAWING = sorted(
    name
    for name, value in vars(random).items()
    if inspect.isfunction(value) and name not in ("key", "fold_in", "check_key_reuse")
)


@pytest.mark.parametrize("name", DRAWING)
def test_each_function_uses_its_key_once(name):
    draw = getattr(random, name)
    key = random.key(1)
    arguments = ARGUMENTS.get(name, ())
    draw(key, *arguments)
    with random.check_key_reuse():
        draw(key, *arguments)
        with pytest.raises(
            random.KeyReuseError, match=rf"random.{name}: key must be used once, got one that"
        ):
            draw(key, *arguments)
    draw(key, *arguments)


def test_the_message_names_the_first_use_and_the_remedy():
    def second(key):
        return random.uniform(key)

    with random.check_key_reuse():
        random.normal(random.key(3))
        with pytest.raises(
            random.KeyReuseError,
            match=r"random.uniform: key must be used once, got one that random.normal has used before, at "
            r".*test_key_reuse.py:\d+ in test_the_message.*; make new keys of it first: .*split\(key\)",
        ):
            second(np.array([0, 3], np.uint32))  # the same value, in another array


def test_loops_that_forget_to_split():
    key = random.key(0)

    def forgetful():
        return [random.normal(key) for _ in range(2)]

    with random.check_key_reuse(), pytest.raises(random.KeyReuseError):
        forgetful()
    with random.check_key_reuse():
        for step in range(2):
            random.normal(random.fold_in(key, step))


def test_traced_keys():
    def twice(key):
        return random.normal(key) + random.uniform(key)

    def once(key):
        first, second = random.split(key)
        return random.normal(first) + random.uniform(second)

    keys = random.split(random.key(0), 3)
    for transform, argument in ((jit, random.key(5)), (vmap, keys)):
        with random.check_key_reuse():
            transform(once)(argument)
            with pytest.raises(random.KeyReuseError, match=r"random\.uniform"):
                transform(twice)(argument)
    with random.check_key_reuse(), pytest.raises(random.KeyReuseError):
        grad(lambda x: x * twice(random.key(7)))(1.0)


def test_a_model_uses_its_keys_once():
    model = nn.serial(nn.dense(8), nn.relu, nn.dropout(0.5), nn.dense(3), nn.gaussian_noise(0.1))
    x = np.ones((2, 4), np.float32)
    with random.check_key_reuse():
        init_key, apply_key = random.split(random.key(0))
        params, state = model.init(init_key, x)
        model.apply(params, state, x, key=apply_key, training=True)
