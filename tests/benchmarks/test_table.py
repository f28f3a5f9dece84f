import copy

import pytest

from benchmarks import table
from tests.benchmarks.fakes import RESULTS, workload

WORKLOADS = {"counting": workload()}


def lines():
    return table.lines_of(RESULTS["workloads"]["counting"])


def results(**changes):
    changed = copy.deepcopy(RESULTS)
    changed["workloads"]["counting"].update(changes)
    return changed


def test_a_line_is_a_median_in_times_of_ours():
    ours, torch, jax = lines()
    assert (ours.seconds, torch.seconds, jax.seconds) == (2e-3, 5e-3, 4e-3)
    assert (ours.ratio, torch.ratio, jax.ratio) == (1, 2.5, 2)
    assert (torch.memory, torch.first_memory, torch.first_call) == (4 * 2**20, 5 * 2**20, 0.5)


def test_summary_compares_with_the_fastest_and_the_leanest():
    assert table.summary_of(lines()) == table.Summary(2, "jax", 0.5, "torch")


def test_summary_without_memory():
    measured = table.lines_of({"times": RESULTS["workloads"]["counting"]["times"]})
    assert table.summary_of(measured) == table.Summary(2, "jax", None, None)


@pytest.mark.parametrize("names", [["funcdl"], ["torch", "jax"]])
def test_no_summary_without_ours_or_without_peers(names):
    chosen = [line for line in lines() if line.contender in names]
    assert table.summary_of(chosen) == table.Summary(None, None, None, None)


def test_text():
    assert table.text(RESULTS, WORKLOADS).splitlines() == [
        "abacus, 2 cores, Linux x86_64, Python 3.11, numpy 2.0; 2 threads for every contender; backend numpy",
        "",
        "counting, from 1 (counting)",
        "  contender   a step  to ours  peak memory  of the first call  first call",
        "  funcdl     2.00 ms     1.00      2.0 MiB            3.0 MiB      250 ms",
        "  torch      5.00 ms     2.50      4.0 MiB            5.0 MiB      500 ms",
        "  jax        4.00 ms     2.00      8.0 MiB            9.0 MiB      1.50 s",
        "  2.00 times as fast as jax; must be 1.5: holds; 0.50 of the memory of torch",
    ]


def test_text_tells_of_a_target_that_is_missed():
    slow = results(times={"funcdl": [1.0], "torch": [1.4]}, fresh={})
    assert "1.40 times as fast as torch; must be 1.5: does not hold" in table.text(slow, WORKLOADS)


def test_text_without_ours_shows_times_alone():
    shown = table.text(results(times={"torch": [1.0], "jax": [2.0]}, fresh={}), WORKLOADS).splitlines()
    assert shown[4:] == [
        "  torch      1.00 s",
        "  jax        2.00 s",
        "  no comparison: it takes funcdl and a peer",
    ]


def test_text_tells_of_disturbed_turns():
    assert "3 turns were disturbed by other processes" in table.text(results(disturbed=3), WORKLOADS)


def test_text_tells_of_tiny_sizes():
    assert "tiny sizes" in table.text({**RESULTS, "tiny": True}, WORKLOADS)


def test_markdown():
    about, _, *rows = table.markdown(RESULTS, WORKLOADS).splitlines()
    assert about.endswith("backend numpy.")
    assert "| counting, from 1 (`counting`) | 2.00 ms | jax | 4.00 ms | 2.00 | 1.5 | 0.50 |" in rows
    assert "| `counting` | torch | 5.00 ms | 2.50 | 4.0 MiB | 5.0 MiB | 500 ms |" in rows
    assert len({row.count("|") for row in rows if row}) == 1


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (9.994e-6, "9.99 us"),
        (9.996e-6, "10.0 us"),
        (99.96e-6, "100 us"),
        (999.6e-6, "1.00 ms"),
        (2.5, "2.50 s"),
    ],
)
def test_durations_have_three_digits(seconds, written):
    assert table.duration(seconds) == written
