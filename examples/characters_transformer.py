"""Write Python's manual, character by character: a small transformer.

The text is the one that Python brings along for `help()`: half a million characters on statements, types
and names. A causal transformer learns to tell the next character from the 64 before; what it writes before
and after training is shown. A tenth of the text is put aside to measure with: knowing nothing costs log(96)
= 4.6 nats a character, knowing how frequent each is 3.2.

Vaswani et al. (2017), "Attention is all you need", arXiv:1706.03762; Su et al. (2021), "RoFormer", for the
rotary positions, arXiv:2104.09864.

Run it with ``python examples/characters_transformer.py``; ``--help`` shows the options.
"""

import argparse
import pydoc_data.topics
import textwrap
import time
from pathlib import Path

import numpy as np

from funcdl import losses, nn, optim, random, text
from transforms import jit, scan, tree, value_and_grad

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "characters_transformer.png"

CONTEXT = 64
WIDTH = 128
BATCH_SIZE = 32
LEARNING_RATE = 4e-3
BLOCK = 50  # steps in a compiled program


def load():
    """Return the tokenizer, and the tokens of the text to train and to measure with, int32."""
    topics = pydoc_data.topics.topics
    manual = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace").decode()
    tokenizer = text.character_tokenizer(manual)
    tokens = tokenizer.encode(manual)
    return tokenizer, *np.split(tokens, [len(tokens) * 9 // 10])


def make_model(vocabulary):
    """Return the layers from tokens, [batch, length], to logits of the next, [batch, length, vocabulary]."""
    block = nn.encoder_block(nn.self_attention(4, causal=True, rotary=True), 4 * WIDTH)
    return nn.serial(
        nn.embedding(vocabulary, WIDTH), block, block, block, nn.layer_norm(), nn.dense(vocabulary)
    )


def mean_loss(model, params, windows):
    """Return the mean cross entropy of each character after the first of each window, in nats."""
    logits = model(params, windows[:, :-1])
    return np.mean(losses.softmax_cross_entropy(logits, windows[:, 1:]))


def train(model, params, tokens, held_out, key, steps):
    """Return the trained parameters, and the loss on held-out text after each block of steps."""
    optimizer = optim.chain(
        optim.clip_by_global_norm(1.0),
        optim.adamw(
            optim.schedules.warmup_cosine_decay(0.0, LEARNING_RATE, steps // 20, steps), weight_decay=0.1
        ),
    )

    @jit
    def run(carry, tokens, keys):
        def step(carry, key):
            params, opt_state = carry
            starts = random.randint(key, (BATCH_SIZE, 1), 0, len(tokens) - CONTEXT)
            windows = tokens[starts + np.arange(CONTEXT + 1)]
            loss, grads = value_and_grad(lambda params: mean_loss(model, params, windows))(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), loss

        return scan(step, carry, keys)

    count = len(held_out) // (CONTEXT + 1)
    held_out = np.reshape(held_out[: count * (CONTEXT + 1)], (count, CONTEXT + 1))
    measure = jit(lambda params, windows: mean_loss(model, params, windows))
    carry, history, started = (params, optimizer.init(params)), [], time.perf_counter()
    for done in range(0, steps, BLOCK):
        keys = random.split(random.fold_in(key, done), min(BLOCK, steps - done))
        carry, of_steps = run(carry, tokens, keys)
        # A quarter of what is held out will do on the way.
        history.append((done + len(keys), float(measure(carry[0], held_out[::4]))))
        seconds = time.perf_counter() - started
        print(f"{history[-1][0]:5} steps, {seconds:4.0f} s: {np.mean(of_steps):.3f} nats in training, "
              f"{history[-1][1]:.3f} on held-out text", flush=True)  # fmt: skip
    return carry[0], history, float(measure(carry[0], held_out))


def sample(model, params, prompt, key, length, temperature=0.8):
    """Return a continuation of a prompt of CONTEXT tokens, drawn character by character."""

    @jit
    def run(params, prompt, keys):
        def step(window, key):
            logits = model(params, window[None])[0, -1]
            drawn = random.categorical(key, logits / temperature).astype(window.dtype)
            return np.concatenate([window[1:], drawn[None]]), drawn

        return scan(step, prompt, keys)[1]

    return run(params, prompt, random.split(key, length))


def draw(before, after, history, path):
    """Draw what the network writes before and after training."""
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(4.2, 2.8))
    steps, nats = history[-1]
    parts = (
        (0.97, "before:", before, 2, "#909090"),
        (0.70, f"after {steps} steps, {nats:.2f} nats a character:", after, 8, "#202020"),
    )
    for top, title, written, lines, color in parts:
        figure.text(0.03, top, title, va="top", fontsize=9, color="#0072b2")
        rows = [
            row for line in written.splitlines() for row in textwrap.wrap(line, 46, drop_whitespace=False)
        ]
        shown = "\n".join(rows[:lines])
        figure.text(0.03, top - 0.08, shown, va="top", fontsize=9, family="monospace", color=color)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Sample, train, measure, sample again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=400, help="steps of training (default: 400)")
    parser.add_argument("--length", type=int, default=500, help="characters to write (default: 500)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    init_key, train_key, sample_key = random.split(random.key(options.seed), 3)

    tokenizer, tokens, held_out = load()
    model = make_model(len(tokenizer))
    params, _ = model.init(init_key, tokens[None, :CONTEXT])
    size = sum(leaf.size for leaf in tree.leaves(params))
    print(f"{len(tokens)} characters, {len(tokenizer)} different ones; {size} parameters")

    prompt = held_out[:CONTEXT]
    written = []
    for moment in ("before", "after"):
        if moment == "after":
            params, history, loss = train(model, params, tokens, held_out, train_key, options.steps)
            print(f"held-out loss: {loss:.3f} nats a character")
        written.append(tokenizer.decode(sample(model, params, prompt, sample_key, options.length)))
        print(f"--- what it writes {moment} training\n{written[-1]}\n---")
    if options.plot:
        draw(*written, history, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
