import re
import shutil

import numpy as np
import pytest

from benchmarks import contenders
from benchmarks.workload import Program, stepping
from benchmarks.workloads import all_workloads
from tests.benchmarks.fakes import counting, workload

WORKLOADS = all_workloads()
PAIRS = [(name, peer) for name, workload in WORKLOADS.items() for peer in workload.peers]


def steps_of(tried, names):
    return {name: contenders.make_step(tried, tried.tiny, name, "numpy") for name in names}


def test_a_step_carries_what_it_replaces():
    program = Program(lambda total, x: (total + x, total), (1.0, 10.0), carried=1)
    step = stepping(program, program.function)
    assert [step(), step(), step()] == [1.0, 11.0, 21.0]


def test_a_step_that_carries_nothing_gives_the_result():
    program = Program(lambda x: x + 1.0, (1.0,))
    step = stepping(program, program.function)
    assert [step(), step()] == [2.0, 2.0]


def test_contenders_that_agree():
    fake = workload(torch=counting(1), jax=counting(1))
    contenders.check_agreement(fake, steps_of(fake, ["funcdl", "torch", "jax"]))


def test_a_contender_that_computes_something_else_is_named():
    fake = workload(torch=counting(1), jax=counting(2))
    message = "counting: what jax gives in step 0 must be within 0.001 of funcdl, got 1.0e+00"
    with pytest.raises(ValueError, match=re.escape(message)):
        contenders.check_agreement(fake, steps_of(fake, ["funcdl", "torch", "jax"]))


@pytest.mark.parametrize("wrong", [np.array([1.0, 1.0]), np.float64("nan"), (1.0, 1.0)])
def test_another_shape_nan_or_another_tree_does_not_agree(wrong):
    fake = workload(jax=lambda sizes: lambda: wrong)
    with pytest.raises(ValueError, match=r"jax gives in step 0|zip\(\) argument"):
        contenders.check_agreement(fake, steps_of(fake, ["funcdl", "jax"]))


def test_chosen_contenders_are_those_that_the_workload_has():
    fake = workload(jax=counting(1), numpy=counting(1))
    assert contenders.names_of(fake, ["funcdl", "torch", "numpy"]) == ["funcdl", "numpy"]


def test_every_contender_of_a_workload_is_known():
    assert {peer for _, peer in PAIRS} <= contenders.PACKAGES.keys()


def test_names_are_those_of_the_table():
    assert all(name == workload.name for name, workload in WORKLOADS.items())
    assert len({workload.title for workload in WORKLOADS.values()}) == len(WORKLOADS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
@pytest.mark.parametrize(("name", "peer"), PAIRS)
def test_every_workload_is_computed_alike(name, peer):
    pytest.importorskip(contenders.PACKAGES[peer], reason=f"compares with {peer}")
    if peer == "torch.compile" and shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++")
    contenders.check_agreement(WORKLOADS[name], steps_of(WORKLOADS[name], ["funcdl", peer]))
