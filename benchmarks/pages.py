"""Puts what was measured into the documentation, between two markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.chart import draw
from benchmarks.table import markdown
from benchmarks.workload import Workload

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
DOCS = Path(__file__).parent.parent / "docs"
CHART = "images/performance.svg"


def write_page(results: Mapping[str, Any], workloads: Mapping[str, Workload], docs: Path = DOCS) -> None:
    """Rewrite the measured part of ``performance.md``, and its chart.

    Raises:
        ValueError: the results are those of a quick run, or the page has no markers.
    """
    if results["tiny"]:
        raise ValueError("what the page shows must be measured at full sizes, got those of --quick")
    draw(results, workloads, docs / CHART)
    alt = "How long each contender takes for a step of each workload, in times of funcdl's"
    page = docs / "performance.md"
    section = f"![{alt}]({CHART})\n\n{markdown(results, workloads)}"
    page.write_text(between_markers(page.read_text(), section))


def between_markers(page: str, section: str) -> str:
    """Return a page whose part between the markers is replaced.

    Raises:
        ValueError: there are no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page must have the markers {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"
