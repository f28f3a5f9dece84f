import collections
import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest

from funcdl.text import (
    BPETokenizer,
    ByteTokenizer,
    CharacterTokenizer,
    character_tokenizer,
    load_bpe,
    train_bpe,
)

TEXTS = ["", "the cat sat on the mat", "naïve café ☃ 𝄞\n\ttabs  and   spaces ", "日本語", "\x00\x7f"]
CORPUS = "the cat sat on the mat; the hat sat on the cat. " * 20

TOKENIZERS = {
    "bytes": ByteTokenizer(),
    "characters": character_tokenizer("".join(TEXTS)),
    "bpe": train_bpe(CORPUS, 300),
    "bpe, bytes alone": train_bpe(CORPUS, 256),
}
each = pytest.mark.parametrize("name", TOKENIZERS)


@each
@pytest.mark.parametrize("text", TEXTS)
def test_decoding_gives_the_text_back(name, text):
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.encode(text)
    assert tokens.dtype == np.int32
    assert tokens.ndim == 1
    assert tokenizer.decode(tokens) == tokenizer.decode(tokens.tolist()) == text
    assert tokens.size == 0 or 0 <= tokens.min() <= tokens.max() < len(tokenizer)


@each
def test_tokenizers_are_values(name):
    tokenizer = TOKENIZERS[name]
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy == tokenizer
    assert hash(copy) == hash(tokenizer)
    np.testing.assert_array_equal(copy.encode("the cat"), tokenizer.encode("the cat"))


def test_bytes_are_those_of_python():
    text = TEXTS[2]
    assert TOKENIZERS["bytes"].encode(text).tolist() == list(text.encode())
    assert TOKENIZERS["bytes"].decode([65, 0xC3]) == "A\ufffd"


def test_characters_are_in_the_order_of_unicode():
    tokenizer = character_tokenizer("banana bread")
    assert tokenizer.characters == " abdenr"
    assert tokenizer.encode("ran").tolist() == [6, 1, 5]


def test_a_character_that_stands_for_others():
    tokenizer = character_tokenizer("ab", unknown="?")
    assert len(tokenizer) == 3
    assert tokenizer.decode(tokenizer.encode("abcab")) == "ab?ab"


def merges_by_hand(words, count):
    """The algorithm of Sennrich et al., on words as tuples of symbols."""
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        best = max(pairs.values())
        ties = [pair for pair in pairs if pairs[pair] == best]
        assert len(ties) == 1, "the oracle needs a clear winner"
        (pair,) = ties
        merges.append("".join(pair))
        words = {merged(word, pair): times for word, times in words.items()}
    return merges


def merged(word, pair):
    result = []
    for symbol in word:
        if result and (result[-1], symbol) == pair:
            result[-1] = result[-1] + symbol
        else:
            result.append(symbol)
    return tuple(result)


def test_bpe_merges_the_most_frequent_pairs():
    words = {"abab": 17, "bcd": 11, "abc": 6, "cd": 5, "dd": 2}
    corpus = [word for word, times in words.items() for _ in range(times)]
    expected = merges_by_hand({tuple(word): times for word, times in words.items()}, 4)
    tokenizer = train_bpe(corpus, 260)
    assert [tokenizer.decode([token]) for token in range(256, 260)] == expected


def test_bpe_makes_texts_shorter():
    tokenizer = TOKENIZERS["bpe"]
    assert len(tokenizer) <= 300
    assert len(tokenizer.encode(CORPUS)) < len(CORPUS) / 3
    assert sorted(TOKENIZERS["bpe, bytes alone"].decode([t]) for t in range(256))[1] == "\x01"


def test_bpe_is_the_same_each_time():
    assert train_bpe(CORPUS, 280) == train_bpe([CORPUS], 280)


def test_bpe_in_a_file(tmp_path):
    tokenizer = TOKENIZERS["bpe"]
    tokenizer.save(tmp_path / "tokenizer.json")
    assert load_bpe(tmp_path / "tokenizer.json") == tokenizer
    assert repr(tokenizer) == f"BPETokenizer({len(tokenizer)} tokens)"


def test_a_file_that_is_no_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version"')
    with pytest.raises(ValueError, match="hold a tokenizer") as caught:
        load_bpe(path)
    start = f"load_bpe: the file {path} must hold a tokenizer in the format of the package tokenizers, got "
    assert str(caught.value).startswith(start)
    with pytest.raises(FileNotFoundError):
        load_bpe(tmp_path / "missing.json")


def test_without_the_package_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from funcdl.text import ByteTokenizer, train_bpe\n"
        "ByteTokenizer().encode('a')\n"
        "train_bpe('a', 256)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: train_bpe: tokenizers must be installed, got no such module; "
        'run pip install "funcdl[text]"'
    )


WRONG = {
    "a character that is not there": (
        lambda: character_tokenizer("abc").encode("bad"),
        ValueError,
        "CharacterTokenizer.encode: every character must be in the vocabulary, got 'd' at 2; "
        "make the vocabulary of all texts, or name a character for others with unknown=",
    ),
    "a byte too high": (
        lambda: ByteTokenizer().decode([1, 256]),
        ValueError,
        "ByteTokenizer.decode: tokens must be from 0 to 255, got 256",
    ),
    "a negative token": (
        lambda: character_tokenizer("abc").decode([-1]),
        ValueError,
        "CharacterTokenizer.decode: tokens must be from 0 to 2, got -1",
    ),
    "fractions": (
        lambda: TOKENIZERS["bpe"].decode(np.zeros(2)),
        TypeError,
        "BPETokenizer.decode: tokens must be integers, got dtype float64",
    ),
    "a batch": (
        lambda: ByteTokenizer().decode(np.zeros((2, 2), int)),
        ValueError,
        "ByteTokenizer.decode: tokens must have the shape (tokens,), got shape (2, 2)",
    ),
    "no text": (
        lambda: character_tokenizer(""),
        ValueError,
        "character_tokenizer: the text must have a character, got none",
    ),
    "no vocabulary": (
        lambda: CharacterTokenizer(""),
        ValueError,
        "CharacterTokenizer: characters must have a character, got none",
    ),
    "twice": (
        lambda: CharacterTokenizer("aba"),
        ValueError,
        "CharacterTokenizer: characters must have every character once, got 'a' twice",
    ),
    "unknown is unknown": (
        lambda: CharacterTokenizer("ab", "?"),
        ValueError,
        "CharacterTokenizer: unknown must be a character of the vocabulary, got '?'",
    ),
    "unknown is long": (
        lambda: character_tokenizer("ab", unknown="<unk>"),
        ValueError,
        "character_tokenizer: unknown must be one character, got '<unk>'",
    ),
    "few tokens": (
        lambda: train_bpe("abc", 255),
        ValueError,
        "train_bpe: size must be at least 256, the number of bytes, got 255",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case):
    make, error, text = WRONG[case]
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == text


def test_no_tokenizer_in_the_format():
    with pytest.raises(ValueError, match="BPETokenizer: json must be a tokenizer in the format"):
        BPETokenizer("{}")
