import numpy as np
import pytest

from funcdl import data, random
from funcdl.text import pad_sequences, windows


@pytest.mark.parametrize("count", [4, 5, 20, 21])
@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("stride", [None, 1, 2, 7])
def test_windows_are_slices(count, length, stride):
    tokens = np.arange(10, 10 + count)
    inputs, targets = windows(tokens, length, stride=stride)
    starts = range(0, count - length, stride or length)
    np.testing.assert_array_equal(inputs, [tokens[start : start + length] for start in starts])
    np.testing.assert_array_equal(targets, [tokens[start + 1 : start + 1 + length] for start in starts])


def test_windows_are_views(tmp_path):
    np.arange(100, dtype=np.int32).tofile(tmp_path / "tokens")
    tokens = np.memmap(tmp_path / "tokens", np.int32, mode="r")
    views = windows(tokens, 8, stride=1)
    assert np.shares_memory(views.inputs, tokens)
    assert np.shares_memory(views.targets, tokens)
    batch = next(iter(data.batches(views, 16, key=random.key(0))))
    np.testing.assert_array_equal(batch.targets, batch.inputs + 1)
    assert batch.inputs.shape == (16, 8)
    assert batch.inputs.dtype == np.int32


def test_each_token_but_the_first_is_a_target_once():
    _, targets = windows(np.arange(13), 4)
    np.testing.assert_array_equal(targets.ravel(), np.arange(1, 13))


@pytest.mark.parametrize("length", [None, 2, 6])
def test_padding(length):
    texts = [np.array([3, 4, 5]), np.array([], int), np.array([6])]
    tokens, mask = pad_sequences(texts, length=length, fill=9)
    assert tokens.shape == mask.shape == (3, length or 3)
    for text, row, there in zip(texts, tokens, mask, strict=True):
        np.testing.assert_array_equal(row[there], text[: length or 3])
        assert np.all(row[~there] == 9)
        assert np.all(np.diff(there.astype(int)) <= 0)


WRONG = {
    "length": (lambda: windows(np.arange(5), 0), "windows: length must be at least 1, got 0"),
    "stride": (lambda: windows(np.arange(5), 2, stride=0), "windows: stride must be at least 1, got 0"),
    "few tokens": (
        lambda: windows(np.arange(5), 5),
        "windows: tokens must have the shape (tokens,), with at least 6 of them, got shape (5,)",
    ),
    "a table": (
        lambda: windows(np.zeros((5, 5), int), 2),
        "windows: tokens must have the shape (tokens,), with at least 3 of them, got shape (5, 5)",
    ),
    "no texts": (lambda: pad_sequences([]), "pad_sequences: sequences must have at least one, got none"),
    "no length": (
        lambda: pad_sequences([[1]], length=0),
        "pad_sequences: length must be at least 1, got 0",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values(case):
    make, text = WRONG[case]
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text
