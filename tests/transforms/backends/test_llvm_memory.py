"""The arena holds little more than what must be alive: where buffers are, when steps run, what is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import (
    checkpoint,
    conv,
    get_threads,
    grad,
    jacfwd,
    jit,
    reduce_window,
    set_threads,
    stage,
    tree,
    value_and_grad,
)
from transforms.backends import compile_graph
from transforms.backends.llvm import memory
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.order import in_late_order, in_order
from transforms.backends.llvm.recomputation import recompute
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import Access, Band, Kernel, Load, Schedule, Store, reads, writes
from transforms.graph.check import check_graph
from transforms.graph.ir import Variable
from transforms.graph.passes import optimize
from transforms.types import ArrayType

RNG = np.random.default_rng(0)
F32 = np.dtype(np.float32)


def real(*shape):
    return RNG.standard_normal(shape).astype(F32)


# --- where buffers are


def a_step(sources, target):
    """Return a kernel that reads one element of each source and writes one of its target."""
    loads = tuple(Load(Access(x, 0, ()), F32) for x in sources)
    return Kernel((), (), loads, (Store(0, Access(target, 0, ())),), ())


@st.composite
def schedules(draw):
    """Draw steps that each write a new buffer and read some of those before."""
    given_ = Variable(ArrayType((4,), F32))
    buffers = [given_]
    steps = []
    for size in draw(st.lists(st.sampled_from([1, 3, 16, 17, 40, 64, 500]), min_size=1, max_size=25)):
        read = draw(st.lists(st.sampled_from(buffers), min_size=1, max_size=3))
        buffers.append(Variable(ArrayType((size,), F32)))
        steps.append(a_step(read, buffers[-1]))
    returned = draw(st.sets(st.sampled_from(buffers[1:]), max_size=2))
    return Schedule((given_,), (), tuple(steps), tuple((x, x.type.shape) for x in returned))


def run_in(plan, schedule, threads):
    """Write each buffer's name to its place, and find it there later. Return the most bytes alive.

    Of a band all threads run each step before any runs the next: what is theirs alone must be so even then.
    """
    names = {x: i for i, x in enumerate(plan.offsets)}
    owner = np.full(plan.size, -1)
    returned = {x[0] for x in schedule.outputs}

    def places(x, units):
        size = x.type.nbytes // units
        starts = [plan.offsets[x] + thread * plan.parts.get(x, 0) for thread in range(threads)]
        return [slice(start, start + size) for start in (starts if x in plan.parts else starts[:1])]

    def run(steps, mine, units=1, around=0):
        """Run steps that touch buffers of their own, beside so many bytes that others have."""
        touched = [mine.intersection((*reads(step), *writes(step))) for step in steps]
        last = {x: i for i, buffers in enumerate(touched) for x in buffers}
        alive, most = set(), around
        for index, step in enumerate(steps):
            for x in mine.intersection(writes(step)) - alive:
                alive.add(x)
                for place in places(x, units):
                    assert place.stop <= plan.size
                    owner[place] = names[x]
            bytes_alive = around + sum(len(places(x, units)) * rounded(x, units) for x in alive)
            most = max(most, bytes_alive)
            if isinstance(step, Band):
                most = max(most, run(step.steps, {*step.local}, step.units, bytes_alive))
            for x in alive & touched[index]:
                assert all((owner[place] == names[x]).all() for place in places(x, units))
            alive = {x for x in alive if last[x] > index}
        return most

    local = {x for step in schedule.steps if isinstance(step, Band) for x in step.local}
    return run(schedule.steps, names.keys() - returned - local)


def rounded(x, units):
    return -(-x.type.nbytes // units // 64) * 64


@pytest.mark.parametrize("largest", [0, 3, 512])
def test_no_two_buffers_meet(monkeypatch, largest):
    monkeypatch.setattr(memory, "_LARGEST", largest)

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(schedules())
    def check(schedule):
        plan = plan_memory(schedule, 1)
        assert all(offset % 64 == 0 for offset in plan.offsets.values())
        assert plan.size >= run_in(plan, schedule, 1)

    check()


def normalized(x, axes, scale, bias):
    centred = x - np.mean(x, axis=axes, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + 1e-5) * scale + bias


def relu(x):
    return np.where(x <= 0, 0, x)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def dense_loss(params, x):
    for w, b in params:
        x = relu(x @ w + b)
    return np.mean(x**2)


def block_loss(params, x):
    for w, v, scale, bias in params:
        h = normalized(x, -1, scale, bias) @ w
        x = x + (h / (1 + np.exp(-h))) @ v
    return np.mean(x**2)


def attention_loss(params, x):
    mask = np.tril(np.ones((x.shape[1],) * 2, bool))
    for q, k, v in params:
        scores = np.where(mask, (x @ q) @ np.swapaxes(x @ k, 1, 2) / 4, -1e30)
        x = x + np.where(mask, softmax(scores), 0) @ (x @ v)
    return np.mean(x**2)


def image_loss(params, x):
    for kernel, scale, bias in params:
        y = conv(x, kernel, padding="SAME")
        x = relu(normalized(y, (0, 1, 2), scale, bias) + x)
    return np.mean(reduce_window(x, "max", (1, 2, 2, 1), strides=(1, 2, 2, 1)) ** 3)


def dense(count, width=96):
    return [(real(width, width) / 10, real(width)) for _ in range(count)]


def blocks(count, width=32):
    shapes = (width, 4 * width), (4 * width, width), (width,), (width,)
    return [tuple(real(*shape) / len(shape) ** 3 for shape in shapes) for _ in range(count)]


def heads(count):
    return [tuple(real(16, 16) / 4 for _ in range(3)) for _ in range(count)]


def images(count, channels=8):
    return [(real(3, 3, channels, channels) / channels, real(channels), real(channels)) for _ in range(count)]


NETWORKS = {
    "dense": (dense_loss, dense(4), real(1024, 96)),
    "blocks": (block_loss, blocks(3), real(16, 40, 32)),
    "attention": (attention_loss, heads(3), real(8, 64, 16)),
    "images": (image_loss, images(3), real(8, 16, 16, 8)),
    "images by Winograd": (image_loss, images(2, 32), real(8, 16, 16, 32)),
}


def step(loss):
    """Return a step of gradient descent with momentum."""

    def descend(params, velocity, x):
        value, gradient = value_and_grad(loss)(params, x)
        velocity = tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
        return tree.map(lambda p, v: p - 0.1 * v, params, velocity), velocity, value

    return descend


def program(loss, params, x):
    return optimize(stage(step(loss))(params, params, x))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_arena_is_hardly_larger_than_what_is_alive(name):
    schedule = make_schedule(program(*NETWORKS[name]))
    plan = plan_memory(schedule, 2)
    assert plan.size <= 1.05 * run_in(plan, schedule, 2)
    assert any(isinstance(x, Band) and x.local for x in schedule.steps)


# --- what is computed


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_are_those_of_numpy(name):
    loss, params, x = NETWORKS[name]
    expected = step(loss)(params, params, x)
    found = jit(step(loss))(params, params, x)
    for ours, theirs in zip(found[0] + found[1], expected[0] + expected[1], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == F32
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4 * np.abs(b).max())
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_other_orders_and_copies_compute_the_same(name):
    loss, params, x = NETWORKS[name]
    graph = program(loss, params, x)
    leaves = [*(a for layer in params for a in layer)] * 2 + [x]
    expected = compile_graph(graph, "numpy")(*leaves)
    early = in_order(graph)
    again = recompute(early)
    late = in_late_order(again.graph, again.copies)
    assert again.copies
    assert again.copies <= late.late
    for changed in (early, again.graph, late.graph):
        check_graph(changed)
        for a, b in zip(compile_graph(changed, "numpy")(*leaves), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_threads():
    loss, params, x = NETWORKS["images"]
    before = get_threads()
    results = []
    try:
        for threads in (1, 2):
            set_threads(threads)
            results.append(jit(step(loss))(params, params, x)[2])
    finally:
        set_threads(before)
    assert results[0] == results[1]


def test_extremes_are_found_among_what_they_were_taken_of():
    """An extreme equals an element bit for bit, so what it was taken of must not be computed again."""
    x, w = real(64, 32, 32, 4), real(4, 4)

    def pooled(x, w):
        y = normalized(x, -1, 1.3, 0.7) * 1.7 + 0.3
        largest = reduce_window(y, "max", (1, 2, 2, 1), strides=(1, 2, 2, 1))
        rows = np.max(y, axis=-1) @ np.ones((32, 1), F32)
        return np.sum(largest * 2) + np.sum(rows) + np.mean(y @ w)

    for a, b in zip(jit(grad(pooled, (0, 1)))(x, w), grad(pooled, (0, 1))(x, w), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("compare", [np.less_equal, np.greater])
def test_a_relu_keeps_its_result_alone(compare):
    """Zero, both of its signs, NaN and infinities come out as they do of the comparison with the operand."""
    w, v = real(128, 128), real(128, 128)
    x = real(2048, 128)
    x[::7] = 0
    b = np.zeros(128, F32)
    b[:4] = [np.nan, np.inf, -np.inf, -0.0]

    def loss(b, x):
        y = x @ w + b
        y = np.where(y <= 0, 0, y) if compare is np.less_equal else np.where(y > 0, y, 0)
        return np.sum(np.tanh(y @ v))

    graph = optimize(stage(grad(loss, (0, 1)))(b, x))
    schedule = make_schedule(graph)
    masks = [y for y in plan_memory(schedule, 1).offsets if y.type.dtype == bool and y.type.size == x.size]
    local = {y for s in schedule.steps if isinstance(s, Band) for y in s.local}
    assert local.issuperset(masks)
    clean = np.zeros(128, F32)
    for bias in (clean, b):
        for ours, theirs in zip(jit(grad(loss, (0, 1)))(bias, x), grad(loss, (0, 1))(bias, x), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)


def test_checkpoints_keep_their_meaning():
    _, params, x = NETWORKS["blocks"]

    def by_blocks(params, x):
        for layer in params:
            x = checkpoint(lambda layer, x: x + block_loss([layer], x) * x, backend="llvm")(layer, x)
        return np.mean(x**2)

    found, expected = jit(grad(by_blocks))(params, x), grad(by_blocks)(params, x)
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * np.abs(b).max())


# --- what is kept


def arena(loss, params, x):
    return plan_memory(make_schedule(program(loss, params, x)), 1).size


def test_a_dense_layer_keeps_one_array():
    """Gradients of eight layers do not wait for each other: what a layer adds is the result of its relu."""
    x = real(1024, 96)
    added = (arena(dense_loss, dense(12), x) - arena(dense_loss, dense(4), x)) / 8
    assert added <= 1.05 * x.nbytes


def test_a_block_keeps_what_is_hard_to_compute():
    """The centred and normalized input, ``h`` and ``exp(-h)``; but no product, quotient or sum of these."""
    x = real(16, 40, 32)
    added = (arena(block_loss, blocks(10), x) - arena(block_loss, blocks(4), x)) / 6
    assert added <= (1 + 4 + 4 + 0.5) * x.nbytes


def test_padding_lasts_as_long_as_what_reads_it():
    x = real(8, 16, 16, 8)
    added = (arena(image_loss, images(9), x) - arena(image_loss, images(4), x)) / 5
    assert added <= 2.1 * x.nbytes  # the centred convolution and, for every other block at least, the relu


def test_buffers_of_a_unit_share_room():
    """One row at a time is alive, of many that are made one from the other."""
    x, w = real(4096, 64), real(64, 64) / 8

    def chain(x):
        for _ in range(12):
            x = np.tanh(x @ w)
        return x

    schedule = make_schedule(optimize(stage(chain)(x)))
    bands = [step for step in schedule.steps if isinstance(step, Band)]
    unit = x.nbytes // max(step.units for step in bands)
    assert max(len(step.local) for step in bands) >= 12
    assert plan_memory(schedule, 1).size <= 4 * unit
    np.testing.assert_allclose(jit(chain)(x), chain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2048, 64), (96, 212), (64, 17)])
def test_what_units_make_they_turn_around(shape):
    """Each unit writes its columns of the result, instead of all rows being kept for a copy."""
    rows, width = shape
    x, w = real(rows, 1, 80), real(80, width) / 8

    def turned(x):
        y = np.tanh(x @ w)[:, 0]
        return np.concatenate([y[:, : width // 2], y[:, width // 2 :] * 2], 1).T

    schedule = make_schedule(optimize(stage(turned)(x)))
    assert rows < 1000 or plan_memory(schedule, 1).size < rows * width * F32.itemsize / 3
    np.testing.assert_allclose(jit(turned)(x), turned(x), rtol=1e-4, atol=1e-5)


def test_a_basis_is_made_where_it_is_used():
    """The seeds of a Jacobian are no constants of its program."""
    w = real(40, 500)
    program = stage(jacfwd(lambda x: np.tanh(w @ x)))(real(500))
    assert sum(x.nbytes for _, x in program.constants) < 2 * w.nbytes


def attention(q, k, v, mask, bias):
    scores = np.einsum("bhqd,bhkd->bhqk", q, k) / 8 + bias[:, None, None]
    return np.einsum("bhqk,bhkd->bhqd", softmax(np.where(mask, scores, np.float32(-1e30))), v)


@pytest.mark.parametrize("shape", [(1, 3, 768, 32), (2, 2, 640, 16)])
def test_scores_are_made_block_by_block(shape):
    """Of the scores of a head a thread has some rows at a time, although keys and values are the head's."""
    batch, heads, length, _ = shape
    q, k, v = real(*shape), real(*shape), real(*shape)
    mask, bias = np.tri(length, dtype=bool), real(batch, length)
    schedule = make_schedule(optimize(stage(lambda *args: attention(*args, mask, bias))(q, k, v)))
    units = [step.units for step in schedule.steps if isinstance(step, Band)]
    assert max(units) > batch * heads
    assert plan_memory(schedule, 1).size < length * length * F32.itemsize / 2
    expected = attention(*(x.astype(float) for x in (q, k, v)), mask, bias.astype(float))
    found = jit(attention)(q, k, v, mask, bias)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    gradients = jit(grad(lambda *args: np.sum(attention(*args) ** 2), (0, 1, 2)))(q, k, v, mask, bias)
    of_numpy = grad(lambda *args: np.sum(attention(*args) ** 2), (0, 1, 2))(q, k, v, mask, bias)
    for ours, theirs in zip(gradients, of_numpy, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_chain_of_kernels_writes_over_one_buffer():
    """A product, a softmax and a normalization, of which each step reads what the one before has made."""
    x, w = real(2048, 64), real(64, 256) / 8

    def chain(x):
        return normalized(softmax(x @ w), -1, 1.5, 0.5) @ w.T

    schedule = make_schedule(optimize(stage(chain)(x)))
    (band,) = (step for step in schedule.steps if isinstance(step, Band))
    unit = len(x) // band.units
    assert plan_memory(schedule, 1).size < 1.5 * unit * 256 * F32.itemsize
    np.testing.assert_allclose(jit(chain)(x), chain(x), rtol=1e-4, atol=1e-5)


def test_what_is_read_again_is_not_written_over():
    x, w = real(1024, 64), real(64, 64) / 8

    def again(x):
        y = np.tanh(x @ w)
        z = np.exp(y) @ w
        u = np.tanh(z) + y
        return (u @ w) * y, np.sum(u, axis=1), z[:, ::-1] * u, np.max(z)

    for ours, theirs in zip(jit(again)(x), again(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
