"""The contract of a primitive: what each owes to every transform, in one record.

A primitive is an operation on arrays that the transforms take as a whole. Its rules are NumPy code on
operands that may be tracers, so each rule can itself be differentiated, batched and staged.

The derivative rules come in three forms. A tuple has one rule for each operand,

    jvp: ``rule(tangent, out, *operands, **attributes) -> the operand's share of the output's tangent``
    vjp: ``rule(cotangent, out, *operands, **attributes) -> the operand's cotangent``

a `Joint` rule serves all operands at once, and a `Forward` rule also evaluates the primitive. Each may
give its result at the broadcast shape and at the promoted dtype: the transform that calls it sums, or
broadcasts, to the operand's own shape and casts to the operand's own dtype.

What a vjp rule reads decides what is kept from the forward pass, and the names of its parameters say
it: for ``_x`` or ``_out`` it gets None, for ``x_type`` (or ``*operand_types``) a `types.ArrayType`, and
only for other names the value.

A primitive with several results takes and gives tuples where others take and give arrays; the
cotangent of a result that does not matter is zeros for a rule of the first form, None for a `Joint`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from transforms.errors import NoRuleError
from transforms.types import Array, ArrayType, type_of

Attributes: TypeAlias = dict[str, Any]
Evaluate: TypeAlias = Callable[..., Any]
Infer: TypeAlias = Callable[..., Any]
Rule: TypeAlias = Callable[..., Array]


class NoRule(NamedTuple):
    """Stands where a rule would, and says why there is none."""

    reason: str


class Joint(NamedTuple):
    """One derivative rule for all operands.

    jvp: ``rule(tangents, out, *operands, **attributes)`` with None for a zero tangent.
    vjp: ``rule(cotangent, out, *operands, wanted, **attributes)`` gives a cotangent for each operand;
    ``wanted`` holds the positions that matter, and what stands at the others is not read.
    """

    rule: Callable[..., Any]


class Forward(NamedTuple):
    """A derivative rule that runs the primitive itself; for primitives with several results only.

    jvp: ``rule(operands, tangents, **attributes)`` returns the results and their tangents, None for zero.
    vjp: ``rule(operands, wanted, **attributes)`` returns the results and a pullback, and so chooses what to
    keep from the forward pass. The pullback takes a list of cotangents, None for zero, and gives a
    cotangent for each position in ``wanted``, None for zero.
    """

    rule: Callable[..., tuple[Sequence[Array], Any]]


DerivativeRules: TypeAlias = tuple[Rule | NoRule, ...] | Joint | Forward | NoRule


NOTHING, TYPE, VALUE = range(3)
"""What a rule reads of an operand."""


@dataclasses.dataclass(frozen=True, slots=True)
class PullbackPlan:
    """What reverse mode does for one primitive and one choice of differentiated operands."""

    positions: tuple[int, ...]
    rules: tuple[Rule, ...]  # one for each position, or only the joint rule
    joint: bool
    keeps_out: bool
    reads: tuple[int, ...]  # for each operand, what the rules read of it

    def trim(self, values: list[Any]) -> None:
        """Take out of a list of the operands' values what no rule reads."""
        for position, read in enumerate(self.reads):
            if read != VALUE:
                values[position] = type_of(values[position]) if read else None


class Primitive:
    """An operation that every transform knows.

    Attributes:
        name: what graphs and errors call it.
        evaluate: ``evaluate(*operands, **attributes)`` on plain arrays and Python scalars.
        infer: ``infer(*operands, **attributes)`` gives the type of the result from the operands'
            types; a Python scalar comes as itself, because it promotes weakly.
        jvp: forward-mode rules.
        vjp: reverse-mode rules.
        batch: ``batch(size, operands, axes, **attributes) -> (out, axis of out)``, where ``axes`` has
            None for an operand that is not batched. A tuple of each where there are several results.
        multiple: whether the result is a tuple.
        constant: whether the derivative is zero wherever it exists, so that a result carries none.
        elementwise: whether it broadcasts its operands, and a Python number among them promotes weakly.
        effect: whether it does more than to give results, so that no pass may drop or repeat it.
        smooth: whether it has one result, and that carries a derivative.
        pullback_plans: what `pullback_plan` has made so far.
    """

    __slots__ = (
        "batch",
        "constant",
        "effect",
        "elementwise",
        "evaluate",
        "infer",
        "jvp",
        "multiple",
        "name",
        "pullback_plans",
        "smooth",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        evaluate: Evaluate,
        *,
        infer: Infer,
        jvp: DerivativeRules,
        vjp: DerivativeRules,
        batch: Callable[..., Any] | NoRule,
        multiple: bool = False,
        constant: bool = False,
        elementwise: bool = False,
        effect: bool = False,
    ) -> None:
        self.name = name
        self.evaluate = evaluate
        self.infer = infer
        self.jvp = jvp
        self.vjp = vjp
        self.batch = batch
        self.multiple = multiple
        self.constant = constant
        self.elementwise = elementwise
        self.effect = effect
        self.smooth = not (multiple or constant)
        self.pullback_plans: dict[int, PullbackPlan] = {}
        PRIMITIVES[name] = self

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def rule(self, rules: DerivativeRules, position: int, transform: str) -> Rule:
        """Return the rule for one operand, from `jvp` or `vjp`.

        Raises:
            NoRuleError: there is none; the message says why.
        """
        rule = rules[position] if isinstance(rules, tuple) and not isinstance(rules, NoRule) else rules
        if isinstance(rule, NoRule):
            raise NoRuleError(
                f"{transform}: {self.name} must have a {transform} rule for operand {position}, "
                f"got none: {rule.reason}"
            )
        return rule.rule if isinstance(rule, (Joint, Forward)) else rule

    def pullback_plan(self, key: int) -> PullbackPlan:
        """Return, and remember, what reverse mode does for one choice of differentiated operands.

        Args:
            key: bit ``i`` says whether operand ``i`` is differentiated, and the highest bit stands
                just above the last operand's.
        """
        plan = self.pullback_plans.get(key)
        if plan is None:
            plan = self.pullback_plans[key] = self._make_plan(key)
        return plan

    def _make_plan(self, key: int) -> PullbackPlan:
        count = key.bit_length() - 1
        positions = tuple(i for i in range(count) if key >> i & 1)
        if isinstance(self.vjp, Joint):
            rules: tuple[Rule, ...] = (self.vjp.rule,)
        else:
            rules = tuple(self.rule(self.vjp, position, "vjp") for position in positions)
        reads = [_reads(rule, count) for rule in rules]
        out, *operands = (max(column) for column in zip(*reads, strict=True))
        return PullbackPlan(
            positions,
            rules,
            isinstance(self.vjp, Joint),
            out > NOTHING,
            tuple(operands),
        )


def _reads(rule: Rule, operand_count: int) -> list[int]:
    """Say what a vjp rule reads of the output, and then of each operand, by its parameters' names."""
    parameters = list(inspect.signature(rule).parameters.values())[1:]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)]
    variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    names = [p.name for p in positional[: operand_count + 1]]
    names += [variadic[0].name] * (operand_count + 1 - len(names)) if variadic else []
    return [
        NOTHING if n.startswith("_") else TYPE if n.endswith(("_type", "_types")) else VALUE for n in names
    ]


PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name."""

UFUNCS: dict[np.ufunc, Primitive] = {}
"""The primitive that each NumPy or SciPy ufunc is, for those that are one."""


class Refusal(NamedTuple):
    """Why a NumPy function cannot be traced, and what to write instead."""

    reason: str
    substitute: str


FUNCTIONS: dict[Any, Callable[..., Any] | Refusal] = {}
"""What a NumPy function, or a ufunc that is no primitive, does when an argument is a tracer."""

METHODS: dict[str, Callable[..., Any]] = {}
"""What a ufunc's method (``"reduce"``) or an array's (``"astype"``) does, where no function says it."""


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate the function that stands for NumPy functions when they are called on tracers."""

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return register


def method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate the function that stands for an array method which no NumPy function spells."""

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        METHODS[name] = implementation
        return implementation

    return register


def refuse(function: Any, reason: str, substitute: str) -> None:
    """Declare that a NumPy function cannot be traced."""
    FUNCTIONS[function] = Refusal(reason, substitute)


def zeros_of(array_type: ArrayType) -> Array:
    """Return read-only zeros of a type that take no memory."""
    return np.broadcast_to(np.zeros((), array_type.dtype), array_type.shape)
