"""Many devices and many machines: names for what JAX does, to be used with ``jit(f, backend="xla")``.

A mesh is a grid of devices with named axes. Arrays that lie on a mesh, each device with its part or with all
of it, are given to a jitted function as any other array; XLA divides the program along with its data and
adds the communication. So a training step for one device is one for a whole mesh:

    mesh = distributed.mesh()
    params = distributed.replicate(params, mesh)
    for batch in batches:
        params, loss = step(params, distributed.shard_batch(batch, mesh))

To run on many machines, start the same script on each, and call `initialize` before anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from funcdl._extras import load
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree


def initialize(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    local_device_ids: int | Sequence[int] | None = None,
) -> None:
    """Join this process with the others of a program that runs on many machines.

    Call it once in each process, before anything that asks JAX for devices. On clusters that JAX knows it
    needs no arguments.

    Args:
        coordinator_address: ``"host:port"`` of process 0.
        num_processes: how many processes there are.
        process_id: the number of this one, in [0, num_processes).
        local_device_ids: which devices of this machine are this process's; all if None.

    Raises:
        ImportError: JAX is not installed.
    """
    load("jax", "xla", "distributed.initialize").distributed.initialize(
        coordinator_address, num_processes, process_id, local_device_ids
    )


def mesh(axes: Mapping[str, int] | None = None) -> Any:
    """Return a grid of all devices, those of other processes included.

    Args:
        axes: the length of each named axis, positive; one of them may be -1, for what is left. One axis
            called "data" if None.

    Returns:
        A ``jax.sharding.Mesh``.

    Raises:
        ValueError: the lengths do not multiply to the number of devices.
        ImportError: JAX is not installed.

    >>> mesh().axis_names
    ('data',)
    """
    jax = load("jax", "xla", "distributed.mesh")
    axes = {"data": -1} if axes is None else dict(axes)
    count = jax.device_count()
    known = math.prod(length for length in axes.values() if length != -1)
    lengths = [count // known if length == -1 else length for length in axes.values()]
    if math.prod(lengths) != count or list(axes.values()).count(-1) > 1:
        rule = f"multiply to the number of devices, {count}"
        raise ValueError(message("distributed.mesh", "the lengths of the axes", rule, axes))
    automatic = (jax.sharding.AxisType.Auto,) * len(axes)
    return jax.make_mesh(tuple(lengths), tuple(axes), axis_types=automatic)


def sharding(mesh: Any, *axes: str | Sequence[str] | None) -> Any:
    """Return how an array is divided among the devices of a mesh.

    Args:
        mesh: what `mesh` returned.
        *axes: for each axis of the array, the axis of the mesh along which it is divided, or several, or None
            for an axis that is not. Axes of the array that are not named are not divided, so that
            ``sharding(mesh)`` is for an array that each device has whole.

    Returns:
        A ``jax.sharding.NamedSharding``, as `jit` takes them for ``in_shardings`` and ``out_shardings``.

    Raises:
        ImportError: JAX is not installed.

    >>> tuple(sharding(mesh(), None, "data").spec)
    (None, 'data')
    """
    jax = load("jax", "xla", "distributed.sharding")
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


def place(arrays: Tree, shardings: Tree) -> Tree:
    """Return a tree of JAX arrays that are divided among devices.

    In a program of many processes each of them gives the whole arrays, and keeps the parts that are its.

    Args:
        arrays: a tree of NumPy or JAX arrays. Their dtypes are kept.
        shardings: a tree of what `sharding` returns, whose leaves stand for whole subtrees.

    Raises:
        TreeMismatchError: the shardings do not fit; the message names the path.
        ImportError: JAX is not installed.

    >>> import numpy as np
    >>> tuple(place({"w": np.ones(8)}, sharding(mesh(), "data"))["w"].sharding.spec)
    ('data',)
    """
    jax = load("jax", "xla", "distributed.place")
    leaves, structure = tree.flatten(arrays)
    flat = tree.broadcast_prefix(shardings, arrays, "distributed.place")
    with jax.enable_x64(True):
        return structure.unflatten(jax.device_put(leaves, flat))


def replicate(arrays: Tree, mesh: Any) -> Tree:
    """Return a tree of JAX arrays of which each device has all.

    Args:
        arrays: a tree of NumPy or JAX arrays, the same in each process.
        mesh: what `mesh` returned.

    Raises:
        ImportError: JAX is not installed.

    >>> import numpy as np
    >>> replicate({"w": np.ones(2)}, mesh())["w"].is_fully_replicated
    True
    """
    return place(arrays, sharding(mesh))


def shard_batch(batch: Tree, mesh: Any, axis: str = "data") -> Tree:
    """Return a batch whose examples are divided among the devices of a mesh.

    In a program of many processes each of them gives its own examples, equally many, and the batch is
    all of them in the order of the processes.

    Args:
        batch: a tree of arrays with equal leading axes, whose length the devices along the axis divide.
        mesh: what `mesh` returned.
        axis: the axis of the mesh along which examples are divided.

    Raises:
        ValueError: the devices do not divide the number of examples.
        ImportError: JAX is not installed.

    >>> import numpy as np
    >>> shard_batch({"x": np.ones((8, 3))}, mesh())["x"].shape
    (8, 3)
    """
    jax = load("jax", "xla", "distributed.shard_batch")
    divided = sharding(mesh, axis)
    with jax.enable_x64(True):
        return tree.map(lambda x: jax.make_array_from_process_local_data(divided, x), batch)
