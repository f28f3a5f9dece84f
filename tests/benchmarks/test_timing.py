import numpy as np
import pytest

from benchmarks import machine, timing


@pytest.fixture
def log():
    """The calls in the order in which they come."""
    return []


@pytest.fixture
def contenders(log):
    return {name: lambda name=name: log.append(name) for name in ("one", "two", "three")}


@pytest.fixture
def one_call_a_turn(monkeypatch):
    monkeypatch.setattr(timing, "_calls_per_turn", lambda call, seconds: 1)
    be_quick(monkeypatch)


def be_quick(monkeypatch):
    """Wait for nothing, and leave the rubbish of the other tests where it is."""
    monkeypatch.setattr(timing, "settle", lambda: None)
    monkeypatch.setattr(timing.gc, "collect", lambda: 0)
    monkeypatch.setattr(timing, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def shares(monkeypatch):
    """What the neighbours take in each turn to come; nothing where the list has ended."""
    to_come = []

    class Neighbours:
        def share(self):
            return to_come.pop(0) if to_come else 0.0

    monkeypatch.setattr(timing, "Neighbours", Neighbours)
    return to_come


@pytest.mark.usefixtures("one_call_a_turn", "shares")
def test_contenders_take_turns_each_round_in_another_order(contenders, log):
    turns = timing.take_turns(contenders, rounds=4)
    assert log == [
        *("one", "two", "three"),
        *("two", "three", "one"),
        *("three", "one", "two"),
        *("one", "two", "three"),
    ]
    assert {name: len(times) for name, times in turns.times.items()} == {"one": 4, "two": 4, "three": 4}
    assert turns.disturbed == 0


@pytest.mark.usefixtures("one_call_a_turn")
def test_a_disturbed_turn_is_taken_again(contenders, log, shares):
    shares[:] = [0.0, 0.9, 0.9, 0.0]
    turns = timing.take_turns(contenders, rounds=1)
    assert log == ["one", "two", "two", "two", "three"]
    assert turns.disturbed == 0
    assert [len(times) for times in turns.times.values()] == [1, 1, 1]


@pytest.mark.usefixtures("one_call_a_turn")
def test_a_turn_that_stays_disturbed_counts_and_is_told(contenders, log, shares):
    shares[:] = [0.9] * 3
    turns = timing.take_turns(contenders, rounds=1)
    assert log == ["one"] * 3 + ["two", "three"]
    assert turns.disturbed == 1


@pytest.mark.usefixtures("shares")
def test_a_turn_is_many_calls_and_its_time_is_that_of_one(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(timing, "_calls_per_turn", lambda call, seconds: 5)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    be_quick(monkeypatch)
    calls = []
    turns = timing.take_turns({"one": lambda: calls.append(1)}, rounds=3)
    assert len(calls) == 3 * (1 + 5)  # a fifth more to get warm
    assert turns.times == {"one": [2.0, 2.0, 2.0]}


def test_medians():
    turns = timing.Turns({"one": [3.0, 1.0, 2.0], "two": [1.0, 5.0]}, 0)
    assert turns.medians() == {"one": 2.0, "two": 3.0}


def test_waits_for_each_array_of_a_result():
    waited = []

    class Later:
        def __init__(self, name):
            self.name = name

        def block_until_ready(self):
            waited.append(self.name)

    timing.wait_for({"a": Later("a"), "b": [Later("b"), np.ones(2), 1.0]})
    assert sorted(waited) == ["a", "b"]


def test_share_of_neighbours(monkeypatch):
    """In 10 seconds the cores worked for 15, and this process for 9: others for 6, but for two ticks."""
    busy, own, clock = iter([100.0, 115.0]), iter([20.0, 29.0]), iter([0.0, 10.0])
    monkeypatch.setattr(machine, "_busy_time", lambda: next(busy))
    monkeypatch.setattr(machine, "_own_time", lambda: next(own))
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 100)
    assert machine.Neighbours().share() == pytest.approx((6 - 0.02) / 10)
