"""Training on many devices gives the numbers of one device.

JAX decides how many devices a CPU is when it starts, so each test runs its code in processes of its own.
"""

import os
import pathlib
import socket
import subprocess
import sys
import textwrap

import pytest

from funcdl import distributed

ROOT = pathlib.Path(__file__).parents[2]

TRAINING = """
import jax
import numpy as np
from funcdl import distributed, losses, nn, optim, random
from transforms import jit, tree, value_and_grad

STEPS = 4
model = nn.serial(nn.dense(16), nn.relu, nn.dense(4))
optimizer = optim.adam(1e-2)
rng = np.random.default_rng(0)
batches = [
    {"x": rng.standard_normal((16, 6)).astype(np.float32), "y": rng.integers(0, 4, 16)} for _ in range(STEPS)
]


def start():
    params, _ = model.init(random.key(0), batches[0]["x"])
    return params, optimizer.init(params)


def step(params, opt_state, batch):
    def objective(params):
        logits = model(params, batch["x"])
        return np.mean(losses.softmax_cross_entropy(logits, batch["y"]))

    loss, grads = value_and_grad(objective)(params)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optim.apply_updates(params, updates), opt_state, loss


def train(step, params, opt_state, batches):
    history = []
    for batch in batches:
        params, opt_state, loss = step(params, opt_state, batch)
        history.append(loss)
    return params, history


def close(got, expected):
    for x, y in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-4, atol=1e-6)


one_device = train(jit(step, backend="numpy"), *start(), batches)
"""


def run(code, *arguments, devices=8, threads=None):
    """Start a process that sees some virtual CPU devices."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "OMP_NUM_THREADS": "1",
        "PJRT_NPROC": str(devices + 1 if threads is None else threads),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", TRAINING + textwrap.dedent(code), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output


def test_data_parallel_and_sharded_training():
    code = """
    assert jax.device_count() == 8

    # data parallel: examples divided, parameters replicated
    mesh = distributed.mesh()
    params, opt_state = distributed.replicate(start(), mesh)
    parallel = jit(step, backend="xla", donate_argnums=(0, 1))
    got = train(parallel, params, opt_state, [distributed.shard_batch(b, mesh) for b in batches])
    close(got, one_device)
    assert all(leaf.sharding.device_set == set(jax.devices()) for leaf in tree.leaves(got[0]))
    assert distributed.shard_batch(batches[0], mesh)["x"].addressable_shards[0].data.shape == (2, 6)

    # parameters divided, too: columns of kernels along the second axis of a mesh
    mesh = distributed.mesh({"data": -1, "model": 2})
    params, opt_state = start()
    of_params = tree.map(
        lambda leaf: distributed.sharding(mesh, *[None] * (leaf.ndim - 1), "model"), params
    )
    of_batch = distributed.sharding(mesh, "data")
    whole = distributed.sharding(mesh)
    sharded = jit(
        step,
        backend="xla",
        in_shardings=(of_params, None, of_batch),
        out_shardings=(of_params, None, whole),
    )
    placed = distributed.place(params, of_params)
    got = train(sharded, placed, distributed.replicate(opt_state, mesh), batches)
    close(got, one_device)
    kernel = max(tree.leaves(got[0]), key=lambda leaf: leaf.size)
    assert kernel.addressable_shards[0].data.shape == (kernel.shape[0], kernel.shape[1] // 2)
    assert got[1][0].sharding == whole

    # dtypes are kept
    assert distributed.replicate(np.ones(3), mesh).dtype == np.float64
    assert not jax.config.jax_enable_x64

    # what XLA has not runs on the host, in another thread
    from scipy import special

    x = np.linspace(0.1, 2.0, 8)
    on_host = jit(lambda x: special.jv(1.5, x), backend="xla")(distributed.shard_batch(x, distributed.mesh()))
    assert np.array_equal(on_host, special.jv(1.5, x))

    # also within a loop, between sums over all devices, with data that JAX copies in the background
    from transforms import scan

    big = np.linspace(-1.0, 1.0, 512 * 512).reshape(512, 512)

    def looped(x):
        def part(carry, scale):
            return special.j0(carry / np.sum(carry * carry)) * scale, np.sum(carry)

        return scan(part, x, np.array([1.0, 2.0]))[1]

    on_host = jit(looped, backend="xla")(distributed.shard_batch(big, distributed.mesh()))
    np.testing.assert_allclose(np.asarray(on_host), jit(looped, backend="numpy")(big), rtol=1e-9, atol=1e-9)

    try:
        distributed.mesh({"data": 3})
    except ValueError as error:
        print(error)
    """
    rule = "the lengths of the axes must multiply to the number of devices, 8, got {'data': 3}"
    assert finish(run(code)).strip().endswith(f"distributed.mesh: {rule}")


def test_calls_of_the_host_without_a_spare_thread_are_refused():
    code = """
    from scipy import special

    x = distributed.shard_batch(np.linspace(0.1, 2.0, 8), distributed.mesh())
    on_host = jit(special.j0, backend="xla")
    on_host(np.ones(8))  # on one device
    for program in (on_host, jit(special.j1, backend="xla")):
        try:
            program(x)
        except RuntimeError as error:
            print(error)
    """
    text = (
        "jit(backend='xla'): a program that calls the host must run on fewer CPU devices than XLA has "
        "threads, or it would wait for ever, got 8 devices and 8 threads; set the environment variable "
        "PJRT_NPROC=9 before JAX starts, or use fewer devices"
    )
    assert finish(run(code, threads=8)).splitlines()[-2:] == [text, text]


def test_two_processes():
    """Each gives half of every batch, and both end with the parameters of one process."""
    code = """
    import sys

    process = int(sys.argv[1])
    distributed.initialize(sys.argv[2], 2, process)
    assert (jax.process_count(), jax.device_count(), jax.local_device_count()) == (2, 4, 2)
    mesh = distributed.mesh()
    mine = [tree.map(lambda leaf: leaf[8 * process : 8 * process + 8], batch) for batch in batches]
    params, opt_state = distributed.replicate(start(), mesh)
    compiled = jit(step, backend="xla")
    got = train(compiled, params, opt_state, [distributed.shard_batch(b, mesh) for b in mine])
    close(got, one_device)
    print("process", process, "agrees")
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [run(code, str(i), address, devices=2) for i in range(2)]
    for i, process in enumerate(processes):
        assert f"process {i} agrees" in finish(process)


def test_without_jax_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(
        ImportError,
        match=r'distributed.mesh: jax must be installed, got no such module; run pip install "funcdl\[xla\]"',
    ):
        distributed.mesh()
