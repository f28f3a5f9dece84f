"""What the examples reach: they run as they are, from more than one seed."""

import numpy as np
import pytest

from tests.examples.running import load, numbers, run

pytestmark = pytest.mark.slow
SEEDS = pytest.mark.parametrize("seed", [["--seed", "0"], ["--seed", "1"]], ids=["seed 0", "seed 1"])
# The largest number of nats a character that these may need.
CHARACTERS = {"characters_transformer": 1.6, "characters_lstm": 1.9}


@SEEDS
def test_breast_cancer(seed, capsys):
    output = run("breast_cancer", seed, capsys)
    before, error_before = numbers(
        r"\ntrained: loss on new patients ([\d.]+), calibration error ([\d.]+)", output
    )
    after, error_after = numbers(
        r"calibrated: loss on new patients ([\d.]+), calibration error ([\d.]+)", output
    )
    assert after < 0.5 * before
    assert error_after < 0.85 * error_before
    accuracy, auc = numbers(r"accuracy ([\d.]+), area under the curve ([\d.]+)", output)
    assert accuracy >= 0.965
    assert auc >= 0.985


@pytest.mark.parametrize("name", CHARACTERS)
def test_characters(name, capsys):
    output = run(name, [], capsys)
    (nats,) = numbers(r"held-out loss: ([\d.]+) nats a character", output)
    assert nats < CHARACTERS[name]
    before, after = (output.split(f"what it writes {moment} training\n")[1].split("\n---")[0] for moment in
                     ("before", "after"))  # fmt: skip
    # Words of the manual's: far more of what it writes than before.
    tokenizer, tokens, _ = load(name).load()
    words = set(tokenizer.decode(tokens).split())
    known = [np.mean([word in words for word in written.split()]) for written in (before, after)]
    assert known[0] < 0.2
    assert known[1] > 0.5


@SEEDS
def test_differential_privacy(seed, capsys):
    output = run("differential_privacy", seed, capsys)
    rows = [
        numbers(rf"noise {noise}: epsilon ([\d.]+) at delta 0.0001, accuracy on new images ([\d.]+)", output)
        for noise in (8, 4, 2, 1)
    ]
    epsilons, accuracies = zip(*rows, strict=True)
    assert epsilons[0] < 1 < epsilons[1] < 2 < epsilons[2] < 5 < epsilons[3]
    assert accuracies[0] > 0.75
    assert accuracies[2] > 0.9
    assert accuracies[0] < accuracies[3]
    (without,) = numbers(r"without noise: accuracy on new images ([\d.]+)", output)
    assert without > 0.91


@SEEDS
def test_digits(seed, capsys):
    (accuracy,) = numbers(r"test accuracy ([\d.]+)", run("digits", seed, capsys))
    assert accuracy >= 0.985


@SEEDS
def test_ensembles(seed, capsys):
    output = run("ensembles", seed, capsys)
    pattern = (
        r": disagreement ([\d.]+), (\d+)% within two deviations, (-?[\d.]+) nats; (-?[\d.]+) for one member"
    )
    near, covered, nats, _ = numbers("where there was data" + pattern, output)
    gap, _, nats_in_gap, alone_in_gap = numbers("in the gap" + pattern, output)
    assert gap > 5 * near
    assert 85 <= covered <= 99
    assert nats < 0
    assert nats_in_gap < alone_in_gap - 3


@SEEDS
def test_from_article(seed, capsys):
    output = run("from_article", seed, capsys)
    assert "momentum: steps of 1.00, 1.90, 2.71, ... 10.00" in output
    forgotten, _ = numbers(r"velocity forgotten: loss ([\d.]+), training accuracy ([\d.]+)", output)
    accumulated, accuracy = numbers(
        r"velocity accumulated: loss ([\d.]+), training accuracy ([\d.]+)", output
    )
    assert accumulated < 0.6 * forgotten
    assert accuracy >= 0.96
    (accuracy,) = numbers(r"with the library's parts: training accuracy ([\d.]+)", output)
    assert accuracy >= 0.96


@SEEDS
def test_gauss_newton(seed, capsys):
    output = run("gauss_newton", seed, capsys)
    (adam,) = numbers(r"Adam: ([\d.e-]+) after", output)
    (gauss_newton,) = numbers(r"Gauss-Newton: ([\d.e-]+) after", output)
    (newton,) = numbers(r"\nNewton: ([\d.e-]+) after", output)
    assert gauss_newton < 0.1 * adam
    assert newton < 1e-4


@SEEDS
def test_maml(seed, capsys):
    output = run("maml", seed, capsys)
    pattern = r": squared error on new tasks ([\d.]+) before, ([\d.]+) after 1 step, ([\d.]+) after 10 steps"
    _, after_one, after_ten = numbers("MAML" + pattern, output)
    _, trained_after_one, trained_after_ten = numbers("pre-trained" + pattern, output)
    assert after_one < 0.3 * trained_after_one
    assert after_ten < 0.2 * trained_after_ten


@SEEDS
def test_neural_ode(seed, capsys):
    output = run("neural_ode", seed, capsys)
    (seen,) = numbers(r"mean distance from the law: ([\d.]+) in the time that was seen", output)
    (later,) = numbers(r"([\d.]+) in as much time after it", output)
    assert seen < 0.4
    assert later < 0.5
    steps = [numbers(rf"with a tolerance of {t}: (\d+)", output)[0] for t in ("0.01", "0.0001", "1e-06")]
    assert steps[0] < steps[1] < steps[2]


@SEEDS
def test_physics_informed(seed, capsys):
    output = run("physics_informed", seed, capsys)
    (error,) = numbers(r"relative error over all places and times: ([\d.]+)", output)
    assert error < 0.04


@SEEDS
def test_tones(seed, capsys):
    output = run("tones", seed, capsys)
    (new,) = numbers(r"new syllables, from 100 to 200 Hz: accuracy ([\d.]+)", output)
    (others,) = numbers(r"other voices, from 80 to 260 Hz: accuracy ([\d.]+)", output)
    assert new >= 0.97
    assert others >= 0.85


@SEEDS
def test_variational_autoencoder(seed, capsys):
    output = run("variational_autoencoder", seed, capsys)
    (nats,) = numbers(r"on new images: (-[\d.]+) nats", output)
    (accuracy,) = numbers(r"ten neighbours in the plane: ([\d.]+)", output)
    assert nats > -25.5
    assert accuracy > 0.75
