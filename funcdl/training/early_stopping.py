"""When to stop training because a measured value no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from transforms.errors import message


class Best(NamedTuple):
    """The best epoch so far.

    Attributes:
        value: the monitored value that it reached.
        state: the train state at its end.
        waited: number of epochs since then.
    """

    value: float
    state: Any
    waited: int


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """A rule that stops training after ``patience`` epochs without a better value.

    `fit` then returns the train state of the best epoch, and also when it reaches its last epoch.

    Attributes:
        monitor: the entry of the history to watch.
        patience: number of epochs to wait for an improvement, at least 1.
        min_delta: what a value must be better by to count as an improvement, at least 0.
        mode: ``"min"`` if lower is better, ``"max"`` if higher is.

    Raises:
        ValueError: an attribute lies outside its range.

    Source:
        Prechelt (1998), "Early Stopping - But When?", doi:10.1007/3-540-49430-8_3.

    >>> rule = EarlyStopping(monitor="val_accuracy", patience=1, mode="max")
    >>> best = rule.update(None, "first", {"val_accuracy": 0.8})
    >>> best = rule.update(best, "second", {"val_accuracy": 0.7})
    >>> best, rule.should_stop(best)
    (Best(value=0.8, state='first', waited=1), True)
    """

    monitor: str = "val_loss"
    patience: int
    min_delta: float = 0.0
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(message("training.EarlyStopping", "patience", "be at least 1", self.patience))
        if not self.min_delta >= 0:
            raise ValueError(message("training.EarlyStopping", "min_delta", "be at least 0", self.min_delta))
        if self.mode not in ("min", "max"):
            raise ValueError(message("training.EarlyStopping", "mode", "be 'min' or 'max'", repr(self.mode)))

    def update(self, best: Best | None, state: Any, record: Mapping[str, float]) -> Best:
        """Return the best epoch, now that another one has ended.

        Args:
            best: the best epoch before, None at the first one.
            state: the train state at the end of this one.
            record: what this one measured.

        Raises:
            ValueError: the monitored entry is not in the record.
        """
        if self.monitor not in record:
            names = ", ".join(sorted(record))
            raise ValueError(
                message("training.EarlyStopping", "monitor", f"be one of {names}", repr(self.monitor))
            )
        value = record[self.monitor]
        if best is None or self._improves(value, best.value):
            return Best(value, state, 0)
        return best._replace(waited=best.waited + 1)

    def should_stop(self, best: Best) -> bool:
        """Whether the patience is at its end."""
        return best.waited >= self.patience

    def _improves(self, value: float, best: float) -> bool:
        # Written so that a NaN never improves on a number, and any number improves on a NaN.
        gain = best - value if self.mode == "min" else value - best
        return gain > self.min_delta or (best != best and value == value)
