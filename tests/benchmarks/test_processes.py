"""What the processes measure that the command starts, here in this one."""

import sys

import pytest

from benchmarks import fresh, turns

OPTIONS = {
    "backend": "numpy",
    "contenders": ["funcdl", "torch.nonsense", "numpy"],
    "rounds": 3,
    "seconds": 1e-6,
    "threads": 1,
    "tiny": True,
}


@pytest.mark.parametrize(
    ("name", "contenders"), [("spiral_epoch", {"funcdl", "numpy"}), ("lstm", {"funcdl"})]
)
def test_turns(name, contenders):
    measured = turns.measure(name, OPTIONS)
    assert measured["times"].keys() == contenders
    assert all(len(times) == 3 and min(times) > 0 for times in measured["times"].values())


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux shows in /proc")
@pytest.mark.parametrize("contender", ["funcdl", "numpy"])
def test_fresh(contender):
    measured = fresh.measure("mlp", contender, OPTIONS)
    assert measured["first_call"] > 0
    assert 0 <= measured["memory"] < 2**27
    assert 0 <= measured["first_memory"] < 2**27
