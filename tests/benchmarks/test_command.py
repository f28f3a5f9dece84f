import json
import sys

import pytest

from benchmarks import __main__ as command
from benchmarks.workloads import all_workloads

WORKLOADS = all_workloads()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "there is no workload 'nonsense'; there are spiral_step"),
        (["--contenders", "funcdl,nonsense"], "there is no contender 'nonsense' here; there are funcdl"),
        (["--backend", "nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_what_is_not_there_is_refused(arguments, said, capsys):
    with pytest.raises(SystemExit):
        command.parse(arguments, WORKLOADS)
    assert said in capsys.readouterr().err


def test_all_workloads_by_default():
    assert command.parse(["--contenders", "funcdl"], WORKLOADS).names == list(WORKLOADS)


def test_what_takes_no_part_is_told(capsys, monkeypatch):
    monkeypatch.setattr(command, "installed", lambda: ["funcdl", "numpy", "torch.compile"])
    assert command.parse(["--quick"], WORKLOADS).contenders == ["funcdl", "numpy"]
    assert capsys.readouterr().err == "Without torch, torch.compile, jax, autograd.\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux shows in /proc")
def test_a_quick_run_measures_prints_and_saves(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "keep_to_cores", lambda count: None)  # this process has other things to do
    saved = tmp_path / "results.json"
    arguments = [
        "spiral_step",
        "--quick",
        "--backend",
        "numpy",
        "--contenders",
        "funcdl,numpy",
        "--threads",
        "1",
    ]
    assert command.main([*arguments, "--json", str(saved)]) == 0
    assert "spiral, 2-100-3, batch 20, one call a step (spiral_step)" in capsys.readouterr().out
    measured = json.loads(saved.read_text())["workloads"]["spiral_step"]
    assert measured["times"].keys() == measured["fresh"].keys() == {"funcdl", "numpy"}
    assert measured["fresh"]["funcdl"].keys() == {"first_call", "first_memory", "memory"}


def test_a_workload_that_fails_is_told_and_the_others_are_measured(monkeypatch, capsys):
    def measure(workload, options):
        if workload.name == "mlp":
            raise command.subprocess.CalledProcessError(1, "python")
        return {"times": {"funcdl": [1.0], "numpy": [2.0]}, "disturbed": 0}

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "keep_to_cores", lambda count: None)
    assert command.main(["mlp", "spiral_step", "--contenders", "funcdl,numpy", "--threads", "1"]) == 1
    out = capsys.readouterr().out
    assert "2.00 times as fast as numpy" in out
    assert out.endswith("Failed: mlp.\n")
