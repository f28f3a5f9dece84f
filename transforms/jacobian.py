"""Jacobians, Hessians and linear maps, from reverse mode, forward mode and batching."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.grad import ArgNums, argument_positions, grad
from transforms.graph.stage import staged_beside
from transforms.jvp import jvp
from transforms.types import Array, is_differentiable, type_of
from transforms.vjp import vjp
from transforms.vmap import vmap


def jacrev(f: Callable[..., Any], argnums: ArgNums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of ``f``, by one pullback for each output element.

    Prefer it to `jacfwd` where ``f`` has fewer outputs than inputs.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        argnums: the position of the argument to differentiate, or several of them.
        has_aux: whether ``f`` returns ``(out, aux)``.

    Returns:
        A function like ``f`` that returns a tree like the output, each leaf of it a tree like the
        argument whose leaves have shape ``out.shape + argument.shape``; with ``has_aux``, and the aux.

    Raises:
        TypeError: an argument to differentiate holds no floating point numbers.
        ValueError: ``argnums`` names an argument that is not there.

    >>> jacrev(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def jacobian_of(*args: Any) -> Any:
        of_chosen, chosen, several = _choose("jacrev", f, argnums, args)
        out, pullback, *aux = vjp(of_chosen, *chosen, has_aux=has_aux)
        out_leaves, out_structure = tree.flatten(out)
        rows = []
        for index, leaf in enumerate(out_leaves):

            def pull_one(seed: Array, index: int = index) -> Any:
                seeds: list[Any] = [None] * len(out_leaves)
                seeds[index] = seed
                pulled = pullback(out_structure.unflatten(seeds))
                return pulled if several else pulled[0]

            rows.append(_map_basis(pull_one, leaf, out_axis=0))
        result = out_structure.unflatten(rows)
        return (result, aux[0]) if has_aux else result

    return jacobian_of


def jacfwd(f: Callable[..., Any], argnums: ArgNums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of ``f``, by one tangent for each input element.

    Prefer it to `jacrev` where ``f`` has fewer inputs than outputs. Arguments and result are the same.

    >>> jacfwd(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def jacobian_of(*args: Any) -> Any:
        of_chosen, chosen, several = _choose("jacfwd", f, argnums, args)
        leaves, structure = tree.flatten(chosen)
        columns = []
        auxiliary: list[Any] = []
        for index, leaf in enumerate(leaves):

            def push_one(seed: Array, index: int = index) -> Any:
                seeds: list[Any] = [None] * len(leaves)
                seeds[index] = seed
                tangents: Any = structure.unflatten(seeds)
                _, tangent, *aux = jvp(of_chosen, chosen, tangents, has_aux=has_aux)
                auxiliary[:] = aux
                return tangent

            columns.append(_map_basis(push_one, leaf, out_axis=-1))
        out_structure = tree.structure(columns[0])
        by_output = zip(*(tree.leaves(column) for column in columns), strict=True)
        trees: list[Any] = [structure.unflatten(entries) for entries in by_output]
        result = out_structure.unflatten(t if several else t[0] for t in trees)
        return (result, auxiliary[0]) if has_aux else result

    return jacobian_of


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of ``f`` in the mode that is cheaper at its arguments.

    It evaluates ``f`` once, and then does what `jacfwd` does if the output has more elements than the
    arguments have, and what `jacrev` does otherwise. Arguments and result are the same.

    >>> jacobian(lambda x: np.sum(x) * x)(np.array([1.0, 2.0]))
    array([[4., 1.],
           [2., 5.]])
    """

    def jacobian_of(*args: Any) -> Any:
        _, chosen, _ = _choose("jacobian", f, argnums, args)
        taller = _element_count(f(*args)) > _element_count(chosen)
        return (jacfwd if taller else jacrev)(f, argnums)(*args)

    return jacobian_of


def _element_count(values: Any) -> int:
    return sum(type_of(leaf).size for leaf in tree.leaves(values))


def _choose(
    where: str, f: Callable[..., Any], argnums: ArgNums, args: tuple[Any, ...]
) -> tuple[Any, Any, bool]:
    """Return ``f`` as a function of the chosen arguments, those, and whether they are several."""
    several = not isinstance(argnums, int)
    given = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    positions = argument_positions(f"{where}({getattr(f, '__name__', 'f')})", given, len(args))
    for position in positions:
        leaves = tree.leaves(args[position])
        if leaves and not any(is_differentiable(type_of(leaf).dtype) for leaf in leaves):
            got, remedy = type_of(leaves[0]).dtype, "convert it to a float"
            raise TypeError(
                message(where, f"argument {position}", "hold floating point numbers", got, remedy)
            )

    def of_chosen(*values: Any) -> Any:
        everything = list(args)
        for position, value in zip(positions, values, strict=True):
            everything[position] = value
        return f(*everything)

    return of_chosen, tuple(args[position] for position in positions), several


def _map_basis(g: Callable[[Array], Any], like: Array, *, out_axis: int) -> Any:
    """Apply a linear map to each element of the standard basis; their axes stand first, or last."""
    shape, dtype = type_of(like)
    numbers = np.arange(math.prod(shape))
    places = staged_beside(numbers.reshape(-1, *(1,) * len(shape)), like)
    basis = (places == numbers.reshape(shape)).astype(dtype)
    stacked = vmap(g, out_axes=out_axis)(basis)

    def unfold(leaf: Array) -> Array:
        rest = leaf.shape[1:] if out_axis == 0 else leaf.shape[:-1]
        return leaf.reshape(shape + rest if out_axis == 0 else rest + shape)

    return tree.map(unfold, stacked)


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Return a function that gives the matrix of second derivatives: `jacfwd` of `jacrev`.

    Args:
        f: a function of trees of arrays that returns one number.
        argnums: the position of the argument to differentiate twice, or several of them.

    Returns:
        A function like ``f`` that returns a tree like the argument of trees like it, whose leaves have the
        shapes of the two leaves, one behind the other.

    Raises:
        TypeError: an argument to differentiate holds no floating point numbers.
        ValueError: ``argnums`` names an argument that is not there.

    >>> hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacfwd(jacrev(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """Return the Hessian of a scalar function times a vector, for about the price of four evaluations.

    Args:
        f: a function of trees of arrays that returns one number.
        primals: its arguments; the Hessian is with respect to all of them.
        tangents: a tree like ``primals``.

    Returns:
        A tree like ``primals``; of its first entry where there is one argument.

    Source: B. A. Pearlmutter, Fast exact multiplication by the Hessian (1994),
    doi:10.1162/neco.1994.6.1.147.

    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    array([6., 0.])
    """
    argnums: ArgNums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), primals, tangents)[1]


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Evaluate a function and return its derivative there, a linear map, that can be applied many times.

    The map is the pullback pulled back: the transpose of a transpose. It does not evaluate ``f`` again.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        *primals: its arguments.

    Returns:
        ``(out, push)`` where ``push(*tangents)`` takes trees like ``primals`` and returns one like ``out``.

    >>> out, push = linearize(lambda x: np.sin(x) * x, 0.5)
    >>> push(2.0) == 2 * push(1.0)
    np.True_
    """
    out, pullback = vjp(f, *primals)
    zero = tree.map(lambda leaf: np.zeros(type_of(leaf).shape, type_of(leaf).dtype), out)
    _, transposed = vjp(pullback, zero)

    def push(*tangents: Any) -> Any:
        return transposed(tangents)[0]

    return out, push
