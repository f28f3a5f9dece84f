"""The examples do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_example(name, *options, cwd):
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    result = subprocess.run(
        [sys.executable, EXAMPLES / name, *options],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize("seed", range(5))
def test_the_spiral_is_learned_from_every_seed(tmp_path, seed):
    output = run_example("spiral.py", "--seed", str(seed), "--no-plot", cwd=tmp_path)
    (accuracy,) = re.findall(r"^training accuracy (\d\.\d+)$", output, re.MULTILINE)
    assert float(accuracy) >= 0.98
    assert list(tmp_path.iterdir()) == []


def test_the_spiral_is_drawn(tmp_path):
    output = run_example("spiral.py", "--epochs", "2", cwd=tmp_path)
    assert "wrote spiral.png" in output
    assert (tmp_path / "spiral.png").read_bytes().startswith(b"\x89PNG")


def test_the_spiral_explains_its_options(tmp_path):
    output = run_example("spiral.py", "--help", cwd=tmp_path)
    for option in ("--seed", "--epochs", "--plot", "--no-plot"):
        assert option in output


def test_numpy_grad_shows_programs_and_gradients(tmp_path):
    output = run_example("numpy_grad.py", cwd=tmp_path)
    # sin(2) + 10, cos(2) + 5 and 2, to six places.
    for number in ("10.909297", "4.583853", "2.000000"):
        assert number in output
    assert "= sin a" in output
    assert "= cos a" in output
