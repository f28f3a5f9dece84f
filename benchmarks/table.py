"""What was measured, as a table: on the terminal, and in the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.workload import Workload

OURS = "funcdl"
# Python takes memory from the system by so many bytes: less than that is as good as nothing.
_PIECE = 1 << 20


class Line(NamedTuple):
    """One contender of one workload.

    Attributes:
        contender: its name.
        seconds: median time of a step.
        ratio: its time in times of ours, or None without ours.
        memory: peak bytes of later calls, or None where it was not measured.
        first_memory: peak bytes of the first call, likewise.
        first_call: seconds of the first call, likewise.
    """

    contender: str
    seconds: float
    ratio: float | None
    memory: float | None = None
    first_memory: float | None = None
    first_call: float | None = None


class Summary(NamedTuple):
    """How a workload ended.

    Attributes:
        ratio: the time of the fastest peer in times of ours, or None without ours or without peers.
        fastest: the fastest peer, likewise.
        memory: our peak memory in times of the leanest peer's, where they were measured; 1 MiB is the least.
        leanest: the leanest peer, likewise.
    """

    ratio: float | None
    fastest: str | None
    memory: float | None
    leanest: str | None


def lines_of(measured: Mapping[str, Any]) -> list[Line]:
    """Return a line for each contender of a measured workload."""
    medians = {name: statistics.median(values) for name, values in measured["times"].items()}
    ours = medians.get(OURS)
    fresh = measured.get("fresh", {})
    keys = ("memory", "first_memory", "first_call")
    return [
        Line(
            name,
            seconds,
            None if ours is None else seconds / ours,
            *(fresh.get(name, {}).get(key) for key in keys),
        )
        for name, seconds in medians.items()
    ]


def summary_of(lines: list[Line]) -> Summary:
    """Return the comparison of ours with the best peer, in time and in memory."""
    ours = next((line for line in lines if line.contender == OURS), None)
    peers = [line for line in lines if line.contender != OURS]
    if ours is None or not peers:
        return Summary(None, None, None, None)
    fastest = min(peers, key=lambda line: line.seconds)
    measured = [line for line in peers if line.memory is not None]
    if ours.memory is None or not measured:
        return Summary(fastest.ratio, fastest.contender, None, None)
    leanest = min(measured, key=lambda line: line.memory or 0)
    memory = max(ours.memory, _PIECE) / max(leanest.memory or 0, _PIECE)
    return Summary(fastest.ratio, fastest.contender, memory, leanest.contender)


def text(results: Mapping[str, Any], workloads: Mapping[str, Workload]) -> str:
    """Return everything that was measured, for a terminal."""
    parts = [about(results)]
    if results["tiny"]:
        parts.append("These are tiny sizes, to see that everything runs: the numbers mean nothing.")
    for name, measured in results["workloads"].items():
        workload = workloads[name]
        lines = lines_of(measured)
        rows = [_row(line) for line in lines]
        parts.append(
            "\n".join([f"\n{workload.title} ({name})", *_aligned([HEADER, *rows]), _verdict(workload, lines)])
        )
        if measured["disturbed"]:
            parts.append(f"  {measured['disturbed']} turns were disturbed by other processes")
    return "\n".join(parts)


HEADER = ("contender", "a step", "to ours", "peak memory", "of the first call", "first call")


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.contender,
        duration(line.seconds),
        _ratio(line.ratio),
        size(line.memory),
        size(line.first_memory),
        duration(line.first_call),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return [f"  {'  '.join(cells)}".rstrip() for cells in padded]


def _verdict(workload: Workload, lines: list[Line]) -> str:
    summary = summary_of(lines)
    if summary.ratio is None:
        return "  no comparison: it takes funcdl and a peer"
    held = "holds" if summary.ratio >= workload.target else "does not hold"
    speed = f"  {summary.ratio:.2f} times as fast as {summary.fastest}; must be {workload.target}: {held}"
    if summary.memory is None:
        return speed
    return f"{speed}; {summary.memory:.2f} of the memory of {summary.leanest}"


def about(results: Mapping[str, Any]) -> str:
    """Return a sentence on the machine, the versions and the threads."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = machine["threads"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"{versions}; {threads} {'thread' if threads == 1 else 'threads'} for every contender; "
        f"backend {results['backend']}"
    )


def markdown(results: Mapping[str, Any], workloads: Mapping[str, Workload]) -> str:
    """Return the tables of the documentation: how each workload ended, and each contender's numbers."""
    measured = {name: lines_of(value) for name, value in results["workloads"].items()}
    ended = [
        "| workload | funcdl | fastest peer | | ratio | must | memory to the leanest peer |",
        "|---|---:|---|---:|---:|---:|---:|",
        *(_summary_row(workloads[name], lines) for name, lines in measured.items()),
    ]
    every = [
        "| workload | contender | a step | to funcdl | peak memory | of the first call | first call |",
        "|---|---|---:|---:|---:|---:|---:|",
        *(f"| `{name}` | {' | '.join(_row(line))} |" for name, lines in measured.items() for line in lines),
    ]
    return "\n".join([f"{about(results)}.", "", *ended, "", *every])


def _summary_row(workload: Workload, lines: list[Line]) -> str:
    summary = summary_of(lines)
    times = {line.contender: line.seconds for line in lines}
    peer = times.get(summary.fastest or "")
    cells = (
        f"{workload.title} (`{workload.name}`)",
        duration(times.get(OURS)),
        summary.fastest or "",
        duration(peer),
        _ratio(summary.ratio),
        f"{workload.target:g}",
        _ratio(summary.memory),
    )
    return f"| {' | '.join(cells)} |"


def duration(seconds: float | None) -> str:
    """Return a time with its unit, three digits.

    >>> duration(0.0000345), duration(0.118), duration(None)
    ('34.5 us', '118 ms', '')
    """
    if seconds is None:
        return ""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{_three_digits(seconds * factor)} {unit}"
    return f"{_three_digits(seconds)} s"


def size(count: float | None) -> str:
    """Return a number of bytes in MiB.

    >>> size(3 * 2**20)
    '3.0 MiB'
    """
    return "" if count is None else f"{count / 2**20:.1f} MiB"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _three_digits(value: float) -> str:
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f}"
