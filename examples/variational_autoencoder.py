"""A map of handwritten digits: a variational autoencoder with a plane for its latent space.

An encoder turns an image into a normal distribution in the plane, a decoder turns a place in the plane into
the probability of each pixel. Both maximise a bound on the likelihood of the images: what the decoder says
about an image, from a place drawn at random from its distribution, less the divergence of that distribution
from the standard normal one. No label is shown. Yet the digits end up in regions of their own.

Kingma, Welling (2013), "Auto-encoding variational Bayes", arXiv:1312.6114.

Run it with ``python examples/variational_autoencoder.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from funcdl import data, datasets, nn, optim, random
from transforms import jit, scan, value_and_grad

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "variational_autoencoder.png"

BATCH_SIZE = 100
LEARNING_RATE = 2e-3

encoder = nn.serial(nn.dense(256), nn.relu, nn.dense(128), nn.relu, nn.dense(4))
decoder = nn.serial(nn.dense(128), nn.relu, nn.dense(256), nn.relu, nn.dense(64))


def load(key):
    """Return images, float32 [n, 64] in [0, 1], and labels, to train with and to test with."""
    images, labels = datasets.digits()
    return data.train_test_split((np.reshape(images, (-1, 64)), labels), 0.2, key=key)


def encode(params, images):
    """Return the mean of each image's distribution in the plane, and the logarithm of its variance."""
    mean, log_variance = np.split(encoder(params["encoder"], images), 2, axis=-1)
    return mean, log_variance


def bound(params, images, key):
    """Return a lower bound on the log likelihood of each image, in nats."""
    mean, log_variance = encode(params, images)
    place = mean + np.exp(0.5 * log_variance) * random.normal(key, mean.shape)
    logits = decoder(params["decoder"], place)
    # log(sigmoid) for what is ink, log(1 - sigmoid) for what is not; a grey pixel is some of both.
    likelihood = np.sum(images * logits - np.logaddexp(0.0, logits), axis=-1)
    divergence = 0.5 * np.sum(mean**2 + np.exp(log_variance) - log_variance - 1, axis=-1)
    return likelihood - divergence


def train(images, key, epochs):
    """Return the parameters, and the bound in each epoch."""
    encoder_key, decoder_key, train_key = random.split(key, 3)
    params = {
        "encoder": encoder.init(encoder_key, images[:1])[0],
        "decoder": decoder.init(decoder_key, images[:1, :2])[0],
    }
    batches = len(images) // BATCH_SIZE
    optimizer = optim.adam(optim.schedules.cosine_decay(LEARNING_RATE, epochs * batches))

    @jit
    def run(carry, images, keys):
        def step(carry, batch):
            params, opt_state = carry
            rows, key = batch
            now, grads = value_and_grad(lambda params: -np.mean(bound(params, images[rows], key)))(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), -now

        def epoch(carry, key):
            order_key, noise_key = random.split(key)
            order = random.permutation(order_key, len(images))[: batches * BATCH_SIZE]
            rows = np.reshape(order, (batches, BATCH_SIZE))
            carry, bounds = scan(step, carry, (rows, random.split(noise_key, batches)))
            return carry, np.mean(bounds)

        return scan(epoch, carry, keys)

    (params, _), history = run((params, optimizer.init(params)), images, random.split(train_key, epochs))
    return params, history


def draw(params, images, labels, path):
    """Draw where images of each digit lie, and what the decoder makes of places all over the plane."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(5.2, 2.9), layout="constrained")
    places, _ = encode(params, images)
    colors = pyplot.get_cmap("tab10").colors
    for digit in range(10):
        of_digit = places[labels == digit]
        left.plot(*of_digit.T, ".", color=colors[digit], markersize=2.5)
        box = {"facecolor": "white", "edgecolor": colors[digit], "boxstyle": "circle,pad=0.15"}
        center = {"ha": "center", "va": "center"}
        left.text(
            *np.median(of_digit, axis=0), str(digit), fontsize=13, fontweight="bold", bbox=box, **center
        )
    left.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), xticks=[], yticks=[], aspect="equal")

    side = np.linspace(-2.4, 2.4, 9, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side[::-1]), axis=-1)
    pixels = np.reshape(1 / (1 + np.exp(-decoder(params["decoder"], grid))), (9, 9, 8, 8))
    cells = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (0, 0)))
    right.imshow(np.reshape(np.moveaxis(cells, 2, 1), (90, 72)), cmap="gray_r", interpolation="nearest")
    right.axis("off")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(arguments=None):
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--epochs", type=int, default=300, help="passes over the data (default: 300)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    split_key, train_key, test_key = random.split(random.key(options.seed), 3)

    (images, labels), (test_images, test_labels) = load(split_key)
    params, history = train(images, train_key, options.epochs)
    print(f"bound on the log likelihood: {history[0]:.2f} nats at first, {history[-1]:.2f} at last")
    print(f"on new images: {np.mean(bound(params, test_images, test_key)):.2f} nats")

    places, test_places = encode(params, images)[0], encode(params, test_images)[0]
    neighbours = KNeighborsClassifier(10).fit(places, labels)
    accuracy = neighbours.score(test_places, test_labels)
    print(f"accuracy of new images' ten neighbours in the plane: {accuracy:.3f}")
    if options.plot:
        draw(params, images, labels, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
