"""The chart of the documentation: how long each contender takes, in times of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

from benchmarks.table import OURS, lines_of
from benchmarks.workload import Workload

STYLE = {
    "funcdl": ("D", "#1b4f9c"),
    "torch": ("o", "#d9541e"),
    "torch.compile": ("s", "#f0a04b"),
    "jax": ("^", "#2a8c5f"),
    "autograd": ("v", "#8a5fb0"),
    "numpy": ("P", "#777777"),
}


def draw(results: Mapping[str, Any], workloads: Mapping[str, Workload], path: Path) -> None:
    """Write a chart with a row for each workload; its suffix says whether it is SVG or PNG."""
    measured = {name: lines_of(value) for name, value in results["workloads"].items()}
    compared = {name: lines for name, lines in measured.items() if lines[0].contender == OURS}
    with matplotlib.rc_context({"svg.hashsalt": "funcdl", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(7.5, 1.2 + 0.36 * len(compared)), layout="constrained")
        for contender, (marker, colour) in STYLE.items():
            points = [
                (line.ratio, row)
                for row, lines in enumerate(compared.values())
                for line in lines
                if line.contender == contender
            ]
            if points:
                ratios, rows = zip(*points, strict=True)
                axes.scatter(ratios, rows, marker=marker, color=colour, label=contender, s=28, zorder=3)
        axes.axvline(1, color=STYLE[OURS][1], linewidth=0.8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yticks(range(len(compared)), [workloads[name].name for name in compared])
        axes.invert_yaxis()
        axes.set_xlabel("time of a step, in times of funcdl's (further right is slower)")
        axes.grid(axis="x", which="both", linewidth=0.3)
        figure.legend(loc="outside upper center", ncols=len(STYLE), frameon=False)
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)
        pyplot.close(figure)
