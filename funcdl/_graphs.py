"""What those who look at programs read from them."""

from __future__ import annotations

from typing import Any


def nested_graphs(equation: Any) -> dict[str, Any]:
    """Return the programs that an equation carries, such as the step of a loop, by what they are for."""
    return {
        label: graph
        for value in equation.attributes.values()
        for label, graph in getattr(value, "graphs", {}).items()
    }
