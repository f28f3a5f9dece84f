"""Every example runs, explains itself and draws its picture; the README shows them all."""

import re

import pytest

from tests.examples.running import EXAMPLES, load, run

# What makes an example short.
BRIEF = {
    "breast_cancer": ["--steps", "2"],
    "characters_lstm": ["--steps", "2", "--length", "5"],
    "characters_transformer": ["--steps", "2", "--length", "5"],
    "differential_privacy": ["--steps", "2"],
    "digits": ["--epochs", "1"],
    "ensembles": ["--steps", "2"],
    "from_article": ["--epochs", "2"],
    "gauss_newton": ["--steps", "2", "--adam-steps", "100"],
    "maml": ["--steps", "2"],
    "neural_ode": ["--steps", "2"],
    "physics_informed": ["--steps", "2"],
    "tones": ["--epochs", "1", "--syllables", "64"],
    "variational_autoencoder": ["--epochs", "1"],
}
# These have tests of their own.
OTHERS = {"numpy_grad", "spiral"}
README = (EXAMPLES.parent / "README.md").read_text()


def test_no_example_is_forgotten():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(BRIEF) | OTHERS


@pytest.mark.parametrize("name", BRIEF)
def test_it_runs_and_draws(name, tmp_path, monkeypatch, capsys):
    image = tmp_path / f"{name}.png"
    usual = load(name).IMAGE
    assert usual == EXAMPLES.parent / "docs" / "images" / image.name
    monkeypatch.setattr(load(name), "IMAGE", image)
    if name.startswith("characters"):  # measuring takes as long as the text is
        tokenizer, tokens, held_out = load(name).load()
        monkeypatch.setattr(load(name), "load", lambda: (tokenizer, tokens[:20_000], held_out[:2_000]))
    output = run(name, [*BRIEF[name], "--plot"], capsys)
    assert f"wrote {image}" in output
    assert image.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", BRIEF)
def test_it_explains_its_options(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        load(name).main(["--help"])
    assert exit_.value.code == 0
    output = capsys.readouterr().out
    for option in ("--seed", "--plot", "--no-plot"):
        assert option in output


@pytest.mark.parametrize("name", BRIEF)
def test_the_readme_shows_its_picture(name):
    assert re.search(rf"<a href=\"examples/{name}\.py\"><img [^>]*src=\"docs/images/{name}\.png\"", README)
    picture = EXAMPLES.parent / "docs" / "images" / f"{name}.png"
    assert picture.stat().st_size < 60_000
