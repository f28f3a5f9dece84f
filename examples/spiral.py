"""Learn the three-armed spiral, and draw what was learned to spiral.png.

Three classes of 100 points each wind around the origin; no straight line separates them. One hidden
layer of 100 ReLU learns them in 200 epochs of batches of 20, with momentum 0.9 and weight decay 1e-3.

The problem is often set with a learning rate of 1.0. With a momentum that really accumulates, past
gradients add up to 1 / (1 - 0.9) = 10 times the last one, and at 1.0 the training diverges. So the rate
is 0.1 on average here: it falls from 0.2 to 0 along a cosine, so that the boundary settles.

Run it with ``python examples/spiral.py``; ``--help`` shows the options.
"""

import argparse

import numpy as np

from funcdl import data, datasets, losses, metrics, nn, optim, plot, random, training

BATCH_SIZE = 20
LEARNING_RATE = 0.2
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-3


def train(seed, epochs):
    """Train on the spiral that the seed gives; return the data, the model and what training led to."""
    data_key, shuffle_key, train_key = random.split(random.key(seed), 3)
    x, y = datasets.spiral(data_key, points_per_class=100, classes=3)
    batches = data.batches((x, y), BATCH_SIZE, key=shuffle_key)

    model = nn.serial(nn.dense(100), nn.relu, nn.dense(3))
    learning_rate = optim.schedules.cosine_decay(LEARNING_RATE, epochs * len(batches))
    optimizer = optim.chain(
        optim.add_decayed_weights(WEIGHT_DECAY), optim.sgd(learning_rate, momentum=MOMENTUM)
    )
    step = training.train_step(
        model, losses.softmax_cross_entropy, optimizer, metrics={"accuracy": metrics.accuracy}
    )
    start = training.init(model, optimizer, train_key, x)
    return x, y, model, training.fit(step, start, batches, epochs=epochs)


def draw(x, y, predict, history, path):
    """Draw the decision boundary beside the learning curves."""
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    plot.decision_boundary(predict, x, y, ax=left.add_subplot())
    plot.learning_curves(history, figure=right)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main():
    """Train, report, draw."""
    parser = argparse.ArgumentParser(description="Learn the three-armed spiral, and draw what was learned.")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--epochs", type=int, default=200, help="passes over the data (default: 200)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=True, help="whether to write spiral.png"
    )
    options = parser.parse_args()

    print(f"300 points, a hidden layer of 100, {options.epochs} epochs of batches of {BATCH_SIZE}")
    print(f"learning rate {LEARNING_RATE} falling to 0 (1.0 diverges), momentum {MOMENTUM}")
    x, y, model, (trained, history) = train(options.seed, options.epochs)

    def predict(points):
        return training.predict(model, trained.params, trained.state, points)

    accuracy = np.mean(metrics.accuracy(predict(x), y))
    print(f"training accuracy {accuracy:.3f}")
    if options.plot:
        draw(x, y, predict, history, "spiral.png")
        print("wrote spiral.png")


if __name__ == "__main__":
    main()
