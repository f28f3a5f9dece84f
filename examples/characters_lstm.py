"""Write Python's manual, character by character: a recurrent network that carries what it has read.

The text is the one that Python brings along for `help()`. A long short-term memory reads a character at a
time and tells the next; its carry, 2 x 256 numbers, is all that it knows of what came before. Training
folds it over windows of 64 characters; measuring and writing carry on for as long as there is text.

Hochreiter, Schmidhuber (1997), "Long short-term memory", doi:10.1162/neco.1997.9.8.1735; Sutskever,
Martens, Hinton (2011), "Generating text with recurrent neural networks".

Run it with ``python examples/characters_lstm.py``; ``--help`` shows the options.
"""

import argparse
import pydoc_data.topics
import time
from pathlib import Path

import numpy as np

from funcdl import losses, nn, optim, random, text
from transforms import jit, scan, value_and_grad

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "characters_lstm.png"

LENGTH = 64
WIDTH = 256
BATCH_SIZE = 32
LEARNING_RATE = 1e-2
BLOCK = 50  # steps in a compiled program

cell = nn.lstm_cell(WIDTH)


def load():
    """Return the tokenizer, and the tokens of the text to train and to measure with, int32."""
    topics = pydoc_data.topics.topics
    manual = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace").decode()
    tokenizer = text.character_tokenizer(manual)
    tokens = tokenizer.encode(manual)
    return tokenizer, *np.split(tokens, [len(tokens) * 9 // 10])


def init(key, vocabulary):
    """Return parameters. A character enters as one of the rows of a matrix: no more than a look-up."""
    embedding_key, cell_key, output_key = random.split(key, 3)
    one = np.zeros((1, WIDTH), np.float32)
    return {
        "embedding": nn.embedding(vocabulary, WIDTH).init(embedding_key, np.zeros(1, int))[0],
        "cell": cell.init(cell_key, one),
        "output": nn.dense(vocabulary).init(output_key, one)[0],
    }


def read(params, tokens, carry=None):
    """Return the carry after reading tokens, [batch, length], and logits of what follows each."""
    vocabulary = len(params["output"]["bias"])
    x = nn.embedding(vocabulary, WIDTH)(params["embedding"], tokens)
    carry, y = nn.unroll(cell, params["cell"], x, carry=carry)
    return carry, nn.dense(vocabulary)(params["output"], y)


def mean_loss(params, windows):
    """Return the mean cross entropy of each character after the first of each window, in nats."""
    _, logits = read(params, windows[:, :-1])
    return np.mean(losses.softmax_cross_entropy(logits, windows[:, 1:]))


def train(params, tokens, held_out, key, steps):
    """Return the trained parameters, and the loss on held-out text after each block of steps."""
    optimizer = optim.chain(
        optim.clip_by_global_norm(1.0),
        optim.adam(optim.schedules.warmup_cosine_decay(0.0, LEARNING_RATE, steps // 20, steps)),
    )

    @jit
    def run(carry, tokens, keys):
        def step(carry, key):
            params, opt_state = carry
            starts = random.randint(key, (BATCH_SIZE, 1), 0, len(tokens) - LENGTH)
            windows = tokens[starts + np.arange(LENGTH + 1)]
            loss, grads = value_and_grad(mean_loss)(params, windows)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), loss

        return scan(step, carry, keys)

    # A hundred strands, each read from its beginning to its end.
    strands = np.reshape(held_out[: len(held_out) // 100 * 100], (100, -1))
    measure = jit(mean_loss)
    carry, history, started = (params, optimizer.init(params)), [], time.perf_counter()
    for done in range(0, steps, BLOCK):
        keys = random.split(random.fold_in(key, done), min(BLOCK, steps - done))
        carry, of_steps = run(carry, tokens, keys)
        history.append((done + len(keys), np.mean(of_steps), measure(carry[0], strands)))
        seconds = time.perf_counter() - started
        print(f"{history[-1][0]:5} steps, {seconds:4.0f} s: {history[-1][1]:.3f} nats in training, "
              f"{history[-1][2]:.3f} on held-out text", flush=True)  # fmt: skip
    return carry[0], history


def sample(params, prompt, key, length, temperature=0.8):
    """Return a continuation of a prompt; each character is drawn from what is said of it, and read."""

    @jit
    def run(params, prompt, keys):
        def step(state, key):
            carry, logits = state
            drawn = random.categorical(key, logits / temperature)
            carry, logits = read(params, drawn[:, None], carry)
            return (carry, logits[:, -1]), drawn[0]

        carry, logits = read(params, prompt[None])
        return scan(step, (carry, logits[:, -1]), keys)[1]

    return run(params, prompt, random.split(key, length))


def entropies(tokens):
    """Return what characters cost, in nats, to who knows how frequent they are; and to who knows pairs."""
    pairs = np.zeros((np.max(tokens) + 1,) * 2)
    np.add.at(pairs, (tokens[:-1], tokens[1:]), 1)

    def entropy(counts):
        share = counts[counts > 0] / np.sum(counts)
        return -np.sum(share * np.log(share))

    alone = entropy(np.sum(pairs, axis=1))
    return alone, entropy(pairs) - alone


def draw(history, tokens, path):
    """Draw the loss, beside what simpler knowledge costs."""
    from matplotlib import pyplot

    steps, in_training, held_out = np.transpose(history)
    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    levels = zip(("frequencies of characters", "frequencies of pairs"), entropies(tokens), strict=True)
    for name, level in levels:
        ax.axhline(level, color="#909090", linestyle="--", linewidth=1)
        ax.text(steps[-1], level + 0.03, name, color="#606060", ha="right", fontsize=9)
    ax.plot(steps, in_training, color="#0072b2", linewidth=2, label="training")
    ax.plot(steps, held_out, color="#d55e00", linewidth=2, label="held-out text")
    ax.set(xlabel="steps", title="nats a character", ylim=(1, 3.6))
    ax.legend(frameon=False, fontsize=10, loc=(0.5, 0.3))
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Sample, train, measure, sample again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=400, help="steps of training (default: 400)")
    parser.add_argument("--length", type=int, default=400, help="characters to write (default: 400)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    init_key, train_key, sample_key = random.split(random.key(options.seed), 3)

    tokenizer, tokens, held_out = load()
    params = init(init_key, len(tokenizer))
    alone, pairs = entropies(tokens)
    print(f"{len(tokens)} characters, {len(tokenizer)} different ones; {alone:.2f} nats each by frequency,")
    print(f"    {pairs:.2f} by the frequency of pairs")

    for moment in ("before", "after"):
        if moment == "after":
            params, history = train(params, tokens, held_out, train_key, options.steps)
            print(f"held-out loss: {history[-1][2]:.3f} nats a character")
        written = tokenizer.decode(sample(params, held_out[:LENGTH], sample_key, options.length))
        print(f"--- what it writes {moment} training\n{written}\n---")
    if options.plot:
        draw(history, tokens, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
