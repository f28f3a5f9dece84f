"""Read handwritten digits with a small convolutional network, nearly without a mistake.

1797 images of 8 x 8 pixels: a fifth is put aside to test with. The network has 100 thousand parameters and
would learn the other 1437 by heart, so it never sees an image twice: each is moved by up to half a pixel,
turned and stretched a little at random in every epoch, as a pure function of a key, inside the compiled
loop.

Data: Alpaydin, Kaynak (1998), "Optical recognition of handwritten digits", from scikit-learn.

Run it with ``python examples/digits.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import augment, data, datasets, functional, losses, metrics, nn, optim, random
from transforms import jit, scan, value_and_grad, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "digits.png"

BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2

model = nn.serial(
    nn.conv(32, (3, 3)),
    nn.relu,
    nn.conv(32, (3, 3)),
    nn.relu,
    nn.max_pool((2, 2), strides=2),
    nn.conv(64, (3, 3)),
    nn.relu,
    nn.flatten,
    nn.dropout(0.4),
    nn.dense(64),
    nn.relu,
    nn.dense(10),
)


def load(key):
    """Return images, float32 [n, 8, 8, 1] in [0, 1], and labels, to train with and to test with."""
    return data.train_test_split(datasets.digits(), 0.2, key=key)


def distort(key, image):
    """Move, turn and stretch an image a little, at random."""
    shift_key, turn_key, stretch_key = random.split(key, 3)
    shift = random.uniform(shift_key, (2,), minval=-0.5, maxval=0.5)
    angle = random.uniform(turn_key, minval=-0.12, maxval=0.12)
    stretch = random.uniform(stretch_key, (2,), minval=0.92, maxval=1.08)
    cos, sin = np.cos(angle), np.sin(angle)

    rows, columns = np.indices((8, 8), np.float32) - 3.5
    rows, columns = rows * stretch[0], columns * stretch[1]
    # Where in the image each new pixel comes from.
    from_row = cos * rows - sin * columns + 3.5 + shift[0]
    from_column = sin * rows + cos * columns + 3.5 + shift[1]
    return augment.bilinear(image, from_row, from_column)


def train(key, images, labels, epochs):
    """Return the trained parameters, and the loss of each epoch."""
    init_key, train_key = random.split(key)
    params, _ = model.init(init_key, images[:1])
    batches = len(images) // BATCH_SIZE
    optimizer = optim.adamw(
        optim.schedules.one_cycle(LEARNING_RATE, epochs * batches), weight_decay=WEIGHT_DECAY
    )

    @jit
    def epoch(carry, key, images, labels):
        order_key, augment_key, dropout_key = random.split(key, 3)
        rows = random.permutation(order_key, len(images))[: batches * BATCH_SIZE]
        seen = vmap(distort)(random.split(augment_key, len(rows)), images[rows])

        def step(carry, batch):
            params, opt_state = carry
            x, y, key = batch

            def objective(params):
                logits, _ = model.apply(params, (), x, key=key, training=True)
                return np.mean(losses.softmax_cross_entropy(logits, y))

            loss, grads = value_and_grad(objective)(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), loss

        parts = (
            np.reshape(seen, (batches, BATCH_SIZE, 8, 8, 1)),
            np.reshape(labels[rows], (batches, BATCH_SIZE)),
            random.split(dropout_key, batches),
        )
        carry, of_batches = scan(step, carry, parts)
        return carry, np.mean(of_batches)

    carry, history = (params, optimizer.init(params)), []
    for key in random.split(train_key, epochs):
        carry, loss = epoch(carry, key, images, labels)
        history.append(float(loss))
    return carry[0], history


def draw(images, labels, probabilities, path):
    """Draw the images that the network is least sure of, with what it takes them for; mistakes in red."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(3, 6, figsize=(4, 2.6), layout="constrained")
    unsure = np.argsort(np.max(probabilities, axis=1))[: panels.size]
    for panel, index in zip(panels.flat, unsure, strict=True):
        guess = np.argmax(probabilities[index])
        panel.imshow(images[index, :, :, 0], cmap="gray_r", interpolation="nearest")
        color = "#009e73" if guess == labels[index] else "#d00000"
        panel.set_title(f"{guess}: {probabilities[index, guess]:.0%}", fontsize=10, color=color)
        panel.axis("off")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Train, and count mistakes on new images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the data (default: 60)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    split_key, train_key = random.split(random.key(options.seed))

    (images, labels), (test_images, test_labels) = load(split_key)
    params, history = train(train_key, images, labels, options.epochs)
    probabilities = functional.softmax(model(params, test_images))
    right = metrics.accuracy(probabilities, test_labels)
    print(f"loss: {history[0]:.4f} in the first epoch, {history[-1]:.4f} in the last")
    print(f"test accuracy {np.mean(right):.4f}: {int(np.sum(1 - right))} of {len(right)} misread")
    if options.plot:
        draw(test_images, test_labels, probabilities, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
