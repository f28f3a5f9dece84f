"""Implicit differentiation: derivatives of solutions, from the equation that they solve.

A solver may take any number of steps; the derivative of what it finds depends on the equation alone. The
functions that come in close over what the solution depends on: they are staged, and what they capture
becomes an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transforms import tree
from transforms.boundary import as_array, check_outputs
from transforms.control.custom_rules import CustomCall, custom_call
from transforms.control.program import Program, call_program, make_program
from transforms.errors import TreeMismatchError, message
from transforms.graph.stage import bind_effect
from transforms.jvp import jvp
from transforms.primitive import zeros_of
from transforms.tracer import Tracer
from transforms.types import Array, type_of
from transforms.vjp import vjp

Solver = Callable[[Callable[[Any], Any], Any], Any]


class _Closed(NamedTuple):
    """A function of leaves whose captured values are arguments.

    Attributes:
        program: from leaves and then captured values to leaves.
        captured: these values.
        backend: what compiles the program.
    """

    program: Program
    captured: list[Tracer]
    backend: str

    def __call__(self, leaves: Sequence[Array], captured: Sequence[Array]) -> list[Array]:
        return list(call_program(self.program, self.backend, *leaves, *captured))


def _close(
    where: str, f: Callable[..., Any], args: Sequence[Any], backend: str
) -> tuple[_Closed, tree.Structure]:
    """Stage a function of trees; returns it as a function of leaves, and the structure of its output."""
    leaves, structure = tree.flatten(tuple(args))
    structures: list[tree.Structure] = []

    def flat(*values: Array) -> list[Array]:
        out = f(*structure.unflatten(values))
        out_leaves, spec = tree.flatten(out)
        check_outputs(where, f, out, out_leaves)
        structures.append(spec)
        return out_leaves

    program, captured = make_program(flat, [type_of(x) for x in leaves], getattr(f, "__name__", "f"), where)
    return _Closed(program, captured, backend), structures[0]


def closure_convert(
    f: Callable[..., Any], *example_args: Any, backend: str = "numpy"
) -> tuple[Any, list[Array]]:
    """Return a function that takes what it closes over as further arguments, and these.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        *example_args: arguments like those that it will be called with.
        backend: what compiles it.

    Returns:
        ``(converted, consts)`` with ``converted(*args, *consts)`` equal to ``f(*args)``. ``consts`` holds the
        traced arrays that ``f`` closes over; plain arrays stay inside.

    >>> from transforms import grad
    >>> def f(w):
    ...     converted, consts = closure_convert(lambda x: w * x, 1.0)
    ...     return converted(3.0, *consts)
    >>> grad(f)(2.0)
    np.float64(3.0)
    """
    closed, out_structure = _close("closure_convert", f, example_args, backend)
    count = len(closed.captured)

    def converted(*args: Any) -> Any:
        own = args[: len(args) - count]
        leaves = [as_array(x) for x in tree.leaves(tuple(own))]
        return out_structure.unflatten(closed(leaves, args[len(own) :]))

    return converted, list(closed.captured)


# --- linear equations


class _System(NamedTuple):
    """A linear equation ``A x = b`` in leaves.

    Its operands are what ``A`` depends on, what the solver closes over, what the transpose's solver closes
    over, and ``b``.

    Attributes:
        product: from what ``A`` depends on, and x, to ``A x``.
        solver: from what ``A`` depends on, and ``b``, and what it closes over, to x and auxiliary results.
        transposed_solver: the same for the transpose of ``A``, or None.
        counts: the numbers of the first three kinds of operands.
        symmetric: whether ``A`` is its own transpose.
    """

    product: Callable[[Sequence[Array], Sequence[Array]], list[Array]]
    solver: _Closed
    transposed_solver: _Closed | None
    counts: tuple[int, int, int]
    symmetric: bool

    def split(self, operands: Sequence[Any]) -> list[list[Any]]:
        """Split the operands into their four kinds."""
        rest = list(operands)
        parts = []
        for count in self.counts:
            parts.append(rest[:count])
            rest = rest[count:]
        return [*parts, rest]

    def run(self, *operands: Array) -> list[Array]:
        """Solve it as one primitive, which has the rules of the solution."""
        call = CustomCall("custom_linear_solve", self._solve, self._forward, self._backward, self._push)
        return list(bind_effect(custom_call, *operands, call=call))

    def _solve(self, *operands: Array) -> list[Array]:
        matrix, closed_over, _, b = self.split(operands)
        return self.solver([*matrix, *b], closed_over)

    def _forward(self, *operands: Array) -> tuple[list[Array], list[Array]]:
        outs = self.run(*operands)
        return outs, [*operands, *outs[: len(self.split(operands)[3])]]

    def _backward(self, residuals: list[Array], cotangents: list[Array]) -> list[Array | None]:
        count = (len(residuals) - sum(self.counts)) // 2
        end = len(residuals) - count
        matrix, closed_over, closed_over_transposed, _ = self.split(residuals[:end])
        x, seeds = residuals[end:], cotangents[:count]
        solved = self._transposed().run(*matrix, *closed_over_transposed, *closed_over, *seeds)[:count]
        _, pull = vjp(lambda *values: self.product(values, x), *matrix)
        none: list[Array | None] = [None] * (len(closed_over) + len(closed_over_transposed))
        return [*pull([-c for c in solved]), *none, *solved]

    def _push(self, primals: list[Array], tangents: list[Array]) -> tuple[list[Array], list[Array]]:
        matrix, closed_over, closed_over_transposed, _ = self.split(primals)
        matrix_tangents, _, _, b_tangents = self.split(tangents)
        outs = self.run(*primals)
        x, aux = outs[: len(b_tangents)], outs[len(b_tangents) :]
        _, moved = jvp(lambda *values: self.product(values, x), matrix, matrix_tangents)
        right = [tangent - change for tangent, change in zip(b_tangents, moved, strict=True)]
        solved = self.run(*matrix, *closed_over, *closed_over_transposed, *right)[: len(x)]
        return outs, [*solved, *(zeros_of(type_of(y)) for y in aux)]

    def _transposed(self) -> _System:
        """Return the equation ``A^T x = b``."""
        if self.symmetric:
            return self
        if self.transposed_solver is None:
            raise TypeError(
                message(
                    "custom_linear_solve",
                    "transpose_solve",
                    "be given for reverse mode",
                    None,
                    "pass it, or symmetric=True",
                )
            )
        first, second, third = self.counts
        return _System(
            _transpose(self.product), self.transposed_solver, self.solver, (first, third, second), False
        )


def _transpose(product: Callable[..., list[Array]]) -> Callable[..., list[Array]]:
    def transposed(matrix: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
        zeros = (zeros_of(type_of(c)) for c in cotangents)
        _, pull = vjp(lambda *x: product(matrix, x), *zeros)
        return list(pull(list(cotangents)))

    return transposed


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Solver,
    transpose_solve: Solver | None = None,
    *,
    symmetric: bool = False,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Any:
    """Solve a linear equation; its derivatives solve linear equations too, and do not go through the solver.

    For ``A x = b`` the tangent solves ``A dx = db - dA x``, and the cotangent of ``b`` solves ``A^T c = dx``.

    Args:
        matvec: ``matvec(x)`` is ``A x`` for trees like ``b``; it may close over what ``A`` depends on.
        b: the right-hand side, a tree of arrays.
        solve: ``solve(matvec, b)`` returns x. It is not differentiated.
        transpose_solve: ``transpose_solve(vecmat, c)`` solves with the transpose; reverse mode needs it.
        symmetric: whether ``A`` is its own transpose; ``solve`` serves for both then.
        has_aux: whether ``solve`` and ``transpose_solve`` return ``(x, aux)``. What is given besides, say the
            number of steps, is not differentiated.
        backend: what compiles the functions.

    Returns:
        The solution, a tree like ``b``; or ``(solution, aux)``.

    Raises:
        TypeError: it is differentiated in reverse mode without ``transpose_solve``.
        TreeMismatchError: ``matvec`` or a solver returns another tree than ``b``.
        TypeError: a solver does not return a pair where ``has_aux`` says so.

    Source: B. Christianson, Reverse accumulation and attractive fixed points (1994),
    doi:10.1080/10556789408805572.

    >>> import numpy as np
    >>> A = np.array([[2.0, 1.0], [0.0, 4.0]])
    >>> custom_linear_solve(lambda x: A @ x, np.array([4.0, 4.0]), lambda matvec, b: np.linalg.solve(A, b))
    array([1.5, 1. ])
    """
    where = "custom_linear_solve"
    leaves, structure = tree.flatten(b)
    leaves = [as_array(x) for x in leaves]
    example = structure.unflatten(leaves)
    applied, out_structure = _close(where, matvec, (example,), backend)
    _check_like(where, "matvec", structure, out_structure)

    def product(matrix: Sequence[Array], x: Sequence[Array]) -> list[Array]:
        return applied(x, matrix)

    def close_solver(solver: Solver, times: Callable[..., list[Array]]) -> tuple[_Closed, tree.Structure]:
        def solved(matrix: list[Array], right: Any) -> Any:
            def apply(x: Any) -> Any:
                return structure.unflatten(times(matrix, [as_array(v) for v in tree.leaves(x)]))

            return solver(apply, right)

        closed, solution = _close(where, solved, (applied.captured, example), backend)
        return closed, _check_solution(
            where, getattr(solver, "__name__", "solve"), structure, solution, has_aux
        )

    solver, solution = close_solver(solve, product)
    transposed = None if transpose_solve is None else close_solver(transpose_solve, _transpose(product))[0]
    closed_over = [] if transposed is None else transposed.captured
    counts = (len(applied.captured), len(solver.captured), len(closed_over))
    system = _System(product, solver, transposed, counts, symmetric)
    return solution.unflatten(system.run(*applied.captured, *solver.captured, *closed_over, *leaves))


def _check_like(where: str, what: str, expected: tree.Structure, got: tree.Structure) -> None:
    if expected != got:
        raise TreeMismatchError(
            message(where, f"the output of {what}", f"have the structure {expected}", got)
        )


def _check_solution(
    where: str, what: str, expected: tree.Structure, got: tree.Structure, has_aux: bool
) -> tree.Structure:
    """Check what a solver returned; returns its structure."""
    if has_aux and (got.type is not tuple or got.num_children != 2):
        raise TypeError(
            message(where, f"the output of {what}", "be a pair (solution, aux), as has_aux=True says", got)
        )
    _check_like(where, what, expected, got.children()[0] if has_aux else got)
    return got


# --- roots


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Solver,
    tangent_solve: Solver,
    *,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Any:
    """Find a root, with derivatives by the implicit function theorem instead of going through the solver.

    For ``f(x, p) = 0`` the tangent solves ``df/dx dx = -df/dp dp``.

    Args:
        f: ``f(x)`` returns a tree like x, zero at the root; it may close over what the root depends on.
        initial_guess: a tree of arrays. The root has no derivative with respect to it.
        solve: ``solve(f, initial_guess)`` returns the root. It is not differentiated.
        tangent_solve: ``tangent_solve(g, y)`` solves ``g(x) = y`` for a linear ``g``, and serves for the
            transpose of that as well.
        has_aux: whether ``solve`` returns ``(root, aux)``. What it gives besides, say the number of steps, is
            not differentiated.
        backend: what compiles the functions.

    Returns:
        The root, a tree like ``initial_guess``; or ``(root, aux)``.

    Raises:
        TreeMismatchError: ``f`` or ``solve`` returns another tree than ``initial_guess``.
        TypeError: ``solve`` does not return a pair where ``has_aux`` says so.

    Source: M. Blondel et al., Efficient and modular implicit differentiation (2022), arXiv:2105.15183.

    >>> from transforms import fori_loop, grad
    >>> def newton(f, x):
    ...     return fori_loop(0, 20, lambda _, x: x - f(x) / (2 * x), x)
    >>> def square_root(p):
    ...     return custom_root(lambda x: x * x - p, 1.0, newton, lambda g, y: y / g(1.0))
    >>> square_root(9.0), grad(square_root)(9.0)
    (np.float64(3.0), np.float64(0.16666666666666666))
    """
    leaves, structure = tree.flatten(initial_guess)
    leaves = [as_array(x) for x in leaves]
    example = structure.unflatten(leaves)
    residual, out_structure = _close("custom_root", f, (example,), backend)
    _check_like("custom_root", "f", structure, out_structure)
    solver, solution = _close("custom_root", lambda guess: solve(f, guess), (example,), backend)
    solution = _check_solution("custom_root", "solve", structure, solution, has_aux)
    parameters = len(residual.captured)
    own = len(solver.captured)

    def root(*operands: Array) -> list[Array]:
        return solver(operands[parameters + own :], operands[parameters : parameters + own])

    def push(primals: list[Array], tangents: list[Array]) -> tuple[list[Array], list[Array]]:
        given = primals[:parameters]
        outs = list(bind_effect(custom_call, *primals, call=call))
        x, aux = outs[: len(leaves)], outs[len(leaves) :]
        _, right = jvp(lambda *values: residual(x, values), given, tangents[:parameters])

        def derivative(v: Any) -> Any:
            moved = [as_array(leaf) for leaf in tree.leaves(v)]
            return structure.unflatten(jvp(lambda *values: residual(values, given), x, moved)[1])

        minus = structure.unflatten(-r for r in right)
        solved = custom_linear_solve(derivative, minus, tangent_solve, tangent_solve, backend=backend)
        return outs, [*tree.leaves(solved), *(zeros_of(type_of(y)) for y in aux)]

    call = CustomCall("custom_root", root, push=push)
    return solution.unflatten(
        bind_effect(custom_call, *residual.captured, *solver.captured, *leaves, call=call)
    )
