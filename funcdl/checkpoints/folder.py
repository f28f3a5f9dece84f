"""The checkpoints of one training in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from funcdl._files import remove_unfinished
from funcdl.checkpoints.trees import metadata, save
from transforms.errors import message
from transforms.tree import Tree

FILES = "step-*.safetensors"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The checkpoints of one training: the last few, and the best one.

    Attributes:
        path: the folder; it is made when it is first written to.
        keep: number of last checkpoints that are kept, at least 1.
        mode: ``"min"`` if a lower value is better, ``"max"`` if a higher one is.

    Raises:
        ValueError: an attribute lies outside its range.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = Folder(path=path, keep=1)
    ...     for step, loss in enumerate([0.5, 0.2, 0.9]):
    ...         file = folder.save(step, {"w": np.full(1, step)}, value=loss)
    ...     folder.steps(), folder.latest().name, folder.best().name
    ([1, 2], 'step-000000002.safetensors', 'step-000000001.safetensors')
    """

    path: str | os.PathLike[str]
    keep: int = 3
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(message("checkpoints.Folder", "keep", "be at least 1", self.keep))
        if self.mode not in ("min", "max"):
            raise ValueError(message("checkpoints.Folder", "mode", "be 'min' or 'max'", repr(self.mode)))

    def save(
        self,
        step: int,
        values: Tree,
        *,
        value: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Path:
        """Write a checkpoint, then remove those that are neither among the last nor the best.

        Args:
            step: number of the checkpoint, at least 0; one of the same number is replaced.
            values: a tree, as in `checkpoints.save`.
            value: what the best one is told by; without it, or NaN, it is never the best.
            metadata: further text to keep, by name; ``"value"`` is taken.

        Returns:
            The file.
        """
        if step < 0:
            raise ValueError(message("checkpoints.Folder.save", "step", "be at least 0", step))
        Path(self.path).mkdir(parents=True, exist_ok=True)
        remove_unfinished(Path(self.path), FILES)
        file = self._file(step)
        named = {} if value is None else {"value": repr(float(value))}
        save(file, values, metadata={**(metadata or {}), **named})
        kept = {*self.steps()[-self.keep :], step, self._best_step()}
        for other in self.steps():
            if other not in kept:
                self._file(other).unlink()
        return file

    def steps(self) -> list[int]:
        """Return the numbers of the checkpoints that are there, ascending."""
        return sorted(int(file.stem.removeprefix("step-")) for file in Path(self.path).glob(FILES))

    def latest(self) -> Path | None:
        """Return the file with the highest number, or None."""
        steps = self.steps()
        return self._file(steps[-1]) if steps else None

    def best(self) -> Path | None:
        """Return the file with the best value, the first of equal ones, or None."""
        step = self._best_step()
        return None if step is None else self._file(step)

    def _best_step(self) -> int | None:
        values = {step: float(metadata(self._file(step)).get("value", "nan")) for step in self.steps()}
        numbers = {step: value for step, value in values.items() if value == value}
        choose = min if self.mode == "min" else max
        return choose(numbers, key=numbers.__getitem__) if numbers else None

    def _file(self, step: int) -> Path:
        return Path(self.path) / f"step-{step:09d}.safetensors"
