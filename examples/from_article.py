"""From an object-oriented library written from scratch to pure functions, part by part.

Many a tutorial builds a deep-learning library in NumPy out of classes: a Function with a forward and a
backward method, a Linear layer and a SoftmaxWithLoss derived from it, an SGD that walks over the layers, a
Model with fit and predict, a DataGenerator of mini-batches; and in the end it learns a spiral. Each
function below is one of these parts as a pure function. What the class would keep in `self` is an argument
or a result here, and what a backward method would say is derived from the forward one.

Each part is checked against the library's own, and against the formula that a backward method would hold.

Run it with ``python examples/from_article.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import data, datasets, losses, metrics, nn, optim, plot, random, training
from transforms import jit, scan, tree, value_and_grad, vjp

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "from_article.png"

HIDDEN = 100
BATCH_SIZE = 20
LEARNING_RATE = 0.02
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-3


# 1. Function
#
# The class has forward(*x), which caches what backward(dY) will need. A function needs neither: `vjp` gives
# its value and the map that takes dY back, and what that map needs is closed over.


def sigmoid(x):
    """The forward method is the whole of it."""
    return 1 / (1 + np.exp(-x))


def check_function(key):
    """Pull a cotangent back through the sigmoid, and compare with dY * y * (1 - y)."""
    x = random.normal(key, (5,))
    y, pullback = vjp(sigmoid, x)
    dY = np.ones_like(y)
    (dX,) = pullback(dY)
    np.testing.assert_allclose(dX, dY * y * (1 - y), rtol=1e-6)
    return "sigmoid: dX = dY * y * (1 - y)"


# 2. Linear
#
# The class makes W and b in its constructor, keeps them in self.weights, and adds self.grads beside them.
# Here `init` returns them as a dict, and a gradient is another dict with the same keys.


def linear_init(key, inputs, outputs):
    """Return weights and biases."""
    return {
        "kernel": random.normal(key, (inputs, outputs)) * np.float32(1 / np.sqrt(inputs)),
        "bias": np.zeros(outputs, np.float32),
    }


def linear(params, x):
    """An affine map of the last axis."""
    return x @ params["kernel"] + params["bias"]


def check_linear(key):
    """Compare with the library's dense layer, and with dW = X.T @ dY, db = sum(dY), dX = dY @ W.T."""
    params_key, x_key, cotangent_key = random.split(key, 3)
    params, x = linear_init(params_key, 4, 3), random.normal(x_key, (8, 4))
    y, pullback = vjp(linear, params, x)
    np.testing.assert_array_equal(y, nn.dense(3)(params, x))
    dY = random.normal(cotangent_key, y.shape)
    gradients, dX = pullback(dY)
    np.testing.assert_allclose(gradients["kernel"], x.T @ dY, rtol=1e-5)
    np.testing.assert_allclose(gradients["bias"], np.sum(dY, axis=0), rtol=1e-5)
    np.testing.assert_allclose(dX, dY @ params["kernel"].T, rtol=1e-5)
    return "linear: dW = X.T @ dY, db = sum(dY), dX = dY @ W.T"


# 3. SoftmaxWithLoss
#
# The class merges softmax and cross entropy so that its backward method is short. The merging pays for
# another reason as well: log(sum(exp)) after the maximum is taken away does not overflow.


def softmax_with_loss(logits, labels):
    """Mean cross entropy of integer labels."""
    shifted = logits - np.max(logits, axis=-1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=-1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def check_softmax_with_loss(key):
    """Compare with the library's loss, and the gradient with (softmax - one hot) / batch."""
    logits_key, labels_key = random.split(key)
    logits, labels = random.normal(logits_key, (8, 3)), random.randint(labels_key, (8,), 0, 3)
    loss, gradient = value_and_grad(softmax_with_loss)(logits, labels)
    np.testing.assert_allclose(loss, np.mean(losses.softmax_cross_entropy(logits, labels)), rtol=1e-5)
    probabilities = np.exp(logits) / np.sum(np.exp(logits), axis=-1, keepdims=True)
    np.testing.assert_allclose(gradient, (probabilities - np.eye(3)[labels]) / 8, atol=1e-6)
    return "softmax with loss: dX = (softmax(X) - one_hot(labels)) / batch"


# 4. SGD, with momentum and weight decay
#
# The class walks over the layers and overwrites their weights. Here the velocities come in and go out beside
# the parameters, so they cannot be lost: a velocity that starts from zero at every step, as it does where an
# update method makes its own, never accumulates, and momentum then does nothing at all.


def sgd_update(params, velocities, gradients, *, learning_rate, momentum, weight_decay):
    """Return the next parameters and velocities: v = momentum * v + g + weight_decay * p, p - rate * v."""
    velocities = tree.map(lambda v, g, p: momentum * v + g + weight_decay * p, velocities, gradients, params)
    return tree.map(lambda p, v: p - learning_rate * v, params, velocities), velocities


def check_sgd():
    """Push with a constant gradient of 1: the steps must grow towards 1 / (1 - momentum) of the first."""
    options = {"learning_rate": 1.0, "momentum": MOMENTUM, "weight_decay": 0.0}
    ours = np.float64(0.0), np.float64(0.0)
    optimizer = optim.sgd(1.0, momentum=MOMENTUM)
    theirs, state = np.float64(0.0), optimizer.init(np.float64(0.0))
    steps = []
    for _ in range(100):
        before = ours[0]
        ours = sgd_update(*ours, np.float64(1.0), **options)
        updates, state = optimizer.update(np.float64(1.0), state, theirs)
        theirs = optim.apply_updates(theirs, updates)
        np.testing.assert_allclose(ours[0], theirs)
        steps.append(before - ours[0])
    np.testing.assert_allclose(steps[:3], [1, 1 + MOMENTUM, 1 + MOMENTUM + MOMENTUM**2])
    np.testing.assert_allclose(steps[-1], 1 / (1 - MOMENTUM), rtol=1e-4)
    return f"momentum: steps of {steps[0]:.2f}, {steps[1]:.2f}, {steps[2]:.2f}, ... {steps[-1]:.2f}"


# 5. DataGenerator
#
# The class shuffles its arrays when an epoch ends. Here the order is a function of a key, so that any epoch
# can be had again: an array of indices, one row for each batch.


def shuffled_batches(key, examples, batch_size):
    """Return the indices of an epoch's examples, one row for each full batch."""
    order = random.permutation(key, examples)
    count = examples // batch_size
    return np.reshape(order[: count * batch_size], (count, batch_size))


def check_data_generator(key):
    """Every example comes once in an epoch, in the library's batches too."""
    rows = shuffled_batches(key, 60, BATCH_SIZE)
    np.testing.assert_array_equal(np.sort(rows, axis=None), np.arange(60))
    batches = data.batches(np.arange(60), BATCH_SIZE, key=key)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(batches.epoch(3)))), np.arange(60))
    return f"mini-batches: {len(batches)} of {BATCH_SIZE} from 60 examples, each once"


# 6. Model: fit and predict
#
# The class holds a list of layers and calls backward in reverse order. Here the model is a function, its
# gradient is `grad` of its loss, and fit is a fold of one step over the batches: `scan`. Compiled, an epoch
# is one program.


def model_init(key):
    """Return the parameters of 2 -> hidden -> 3."""
    first_key, second_key = random.split(key)
    return {"first": linear_init(first_key, 2, HIDDEN), "second": linear_init(second_key, HIDDEN, 3)}


def predict(params, x):
    """Return logits, [points, 3]."""
    return linear(params["second"], np.maximum(linear(params["first"], x), 0))


def objective(params, x, y):
    """Return the mean loss of a batch."""
    return softmax_with_loss(predict(params, x), y)


def fit(params, x, y, key, *, epochs, accumulate):
    """Return the trained parameters, and the mean loss of each epoch.

    With ``accumulate=False`` the velocity starts from zero at every step: the mistake, to compare with.
    """
    options = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}

    @jit
    def run(carry, x, y, keys):
        def step(carry, rows):
            params, velocities = carry
            loss, gradients = value_and_grad(objective)(params, x[rows], y[rows])
            if not accumulate:
                velocities = tree.map(np.zeros_like, velocities)
            return sgd_update(params, velocities, gradients, **options), loss

        def epoch(carry, key):
            carry, losses_of_batches = scan(step, carry, shuffled_batches(key, len(x), BATCH_SIZE))
            return carry, np.mean(losses_of_batches)

        return scan(epoch, carry, keys)

    start = params, tree.map(np.zeros_like, params)
    (params, _), history = run(start, x, y, random.split(key, epochs))
    return params, history


def library_fit(x, y, key, *, epochs):
    """The same model, optimizer and loop, as the library has them; returns logits of the points."""
    shuffle_key, train_key = random.split(key)
    model = nn.serial(nn.dense(HIDDEN), nn.relu, nn.dense(3))
    optimizer = optim.chain(
        optim.add_decayed_weights(WEIGHT_DECAY), optim.sgd(LEARNING_RATE, momentum=MOMENTUM)
    )
    step = training.train_step(model, losses.softmax_cross_entropy, optimizer)
    start = training.init(model, optimizer, train_key, x)
    batches = data.batches((x, y), BATCH_SIZE, key=shuffle_key)
    trained, _ = training.fit(step, start, batches, epochs=epochs)
    return training.predict(model, trained.params, trained.state, x)


def draw(x, y, params, histories, path):
    """Draw the decision boundary, and the loss with and without a velocity that is kept."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(6, 2.7), layout="constrained")
    plot.decision_boundary(lambda points: predict(params, points), x, y, ax=left, resolution=150)
    right.plot(histories[False], color="#d55e00", label="forgotten at each step")
    right.plot(histories[True], color="#0072b2", label="accumulated")
    right.set(xlabel="epoch", title="loss, by velocity", ylim=(0, 1))
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(arguments=None):
    """Check each part, then train with them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--epochs", type=int, default=300, help="passes over the data (default: 300)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    keys = random.split(random.key(options.seed), 8)

    print(check_function(keys[0]))
    print(check_linear(keys[1]))
    print(check_softmax_with_loss(keys[2]))
    print(check_sgd())
    print(check_data_generator(keys[3]))

    x, y = datasets.spiral(keys[4])
    start = model_init(keys[5])
    results, histories = {}, {}
    for accumulate in (False, True):
        results[accumulate], histories[accumulate] = fit(
            start, x, y, keys[6], epochs=options.epochs, accumulate=accumulate
        )
        accuracy = np.mean(metrics.accuracy(predict(results[accumulate], x), y))
        velocity = "accumulated" if accumulate else "forgotten"
        print(f"velocity {velocity}: loss {histories[accumulate][-1]:.3f}, training accuracy {accuracy:.3f}")
    accuracy = np.mean(metrics.accuracy(library_fit(x, y, keys[7], epochs=options.epochs), y))
    print(f"with the library's parts: training accuracy {accuracy:.3f}")
    if options.plot:
        draw(x, y, results[True], histories, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
