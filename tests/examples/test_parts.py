"""The mathematics that examples write themselves, against independent oracles."""

import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage
import scipy.optimize
import sklearn.metrics
from numpy.testing import assert_allclose

from funcdl import losses, random
from tests.examples.running import load
from transforms import grad, jacrev, jit, tree, value_and_grad


@pytest.mark.parametrize("noise", [0.8, 2.0])
@pytest.mark.parametrize("order", [2, 3, 17])
def test_renyi_divergence_is_its_integral(order, noise):
    sampling = 0.1

    def integrand(z):
        # The density of N(0, s), times the ratio of the mixture to it, to the power of the order.
        log_density = -(z**2) / (2 * noise**2) - 0.5 * np.log(2 * np.pi * noise**2)
        log_ratio = np.logaddexp(np.log1p(-sampling), np.log(sampling) + (2 * z - 1) / (2 * noise**2))
        return np.exp(log_density + order * log_ratio)

    integral, _ = scipy.integrate.quad(
        integrand, -20 * noise, 20 * noise + order, points=[0, 1, order], limit=500, epsabs=0, epsrel=1e-10
    )
    ours = load("differential_privacy").renyi_divergence(order, sampling, noise)
    assert_allclose(ours, np.log(integral) / (order - 1), rtol=1e-6)


def test_epsilon_of_one_gaussian_step_bounds_the_exact_one():
    # With (almost) everyone in the batch it is the Gaussian mechanism, whose delta is known in closed form:
    # Balle and Wang (2018), "Improving the Gaussian mechanism for differential privacy", theorem 8.
    noise, delta = 2.0, 1e-4
    phi = scipy.special.ndtr

    def excess(e):
        return phi(0.5 / noise - e * noise) - np.exp(e) * phi(-0.5 / noise - e * noise) - delta

    exact = scipy.optimize.brentq(excess, 0, 10)
    ours = load("differential_privacy").epsilon(1 - 1e-9, noise, 1, delta)
    assert exact < ours < 1.15 * exact


def test_a_sampled_batch_holds_who_entered():
    example = load("differential_privacy")
    key = random.key(3)
    rows, present = example.sample(key, 1438)
    entered = np.flatnonzero(random.uniform(key, (1438,)) < example.SAMPLING)
    np.testing.assert_array_equal(rows[present], entered)
    assert rows.shape == (example.CAPACITY,)


def test_the_solver_agrees_with_scipy():
    example = load("neural_ode")
    start, times = np.array([0.3, 0.0]), np.linspace(0, 15, 7)
    ours = example.orbit(example.true_velocity, start, times, tolerance=1e-9)

    def velocity(_, place):
        x, y = place
        return [y, (1 - x**2) * y - x]

    theirs = scipy.integrate.solve_ivp(velocity, (0, 15), start, "DOP853", times, rtol=1e-11, atol=1e-11)
    assert_allclose(ours, theirs.y.T, atol=1e-6)


def test_a_step_of_the_solver_is_of_order_five():
    step = load("neural_ode").dormand_prince
    errors = [np.abs(step(lambda y: y, np.ones(1), size)[0][0] - np.exp(size)) for size in (0.4, 0.2)]
    assert 5.7 < np.log2(errors[0] / errors[1]) < 6.3


def test_the_gradient_through_the_solver_is_the_sensitivity():
    # dy/dt = a y, so that d y(T) / d a = T y(T).
    example = load("neural_ode")

    def end(a):
        return example.solve(lambda y: a * y, np.ones(1), np.float64(2.0), tolerance=1e-9)[0][0]

    for differentiate in (value_and_grad(end), jit(value_and_grad(end))):
        value, slope = differentiate(0.7)
        assert_allclose(value, np.exp(1.4), rtol=1e-7)
        assert_allclose(slope, 2 * np.exp(1.4), rtol=1e-7)


def test_products_with_matrices_that_are_never_formed():
    example = load("gauss_newton")
    x = random.uniform(random.key(0), (7, 2), np.float64)
    y = example.surface(x)
    params, _ = example.model.init(random.key(1), x)
    flat, unravel = tree.ravel(params)
    v = random.normal(random.key(2), flat.shape, np.float64)

    jacobian = jacrev(lambda flat: example.outputs(unravel(flat), x, y)[:, 0])(flat)
    product = tree.ravel(example.gauss_newton_product(params, x, y, unravel(v)))[0]
    assert_allclose(product, jacobian.T @ (jacobian @ v), rtol=1e-8, atol=1e-12)

    gradient = grad(lambda flat: example.loss(unravel(flat), x, y))
    difference = (gradient(flat + 1e-5 * v) - gradient(flat - 1e-5 * v)) / 2e-5
    product = tree.ravel(example.hessian_product(params, x, y, unravel(v)))[0]
    assert_allclose(product, difference, rtol=1e-6, atol=1e-8)


def test_conjugate_gradients_solve():
    generator = np.random.default_rng(0)
    root = generator.normal(size=(12, 12))
    matrix, target = root @ root.T + np.eye(12), generator.normal(size=12)
    solution, count = load("gauss_newton").conjugate_gradients(lambda v: matrix @ v, target)
    assert_allclose(solution, np.linalg.solve(matrix, target), rtol=1e-3)
    assert 1 < count <= 14


def test_the_soliton_obeys_the_equation(monkeypatch):
    example = load("physics_informed")
    monkeypatch.setattr(example, "u", lambda params, x, t: example.soliton(x, t))
    for x, t in ((0.3, 0.1), (-1.2, 0.7), (2.5, 1.0)):
        assert_allclose(example.residual(None, x, t), 0.0, atol=1e-12)
        assert abs(grad(example.soliton)(x, t)) > 1e-2


def test_the_temperature_minimises_the_loss():
    example = load("breast_cancer")
    generator = np.random.default_rng(0)
    truth = generator.normal(size=400)
    y = (generator.random(400) < 1 / (1 + np.exp(-truth))).astype(np.float64)
    logits = 7 * truth
    best = scipy.optimize.minimize_scalar(
        lambda t: np.mean(np.logaddexp(0, logits / t) - y * logits / t), bounds=(0.1, 50), method="bounded"
    )
    assert_allclose(example.temperature(logits, y), best.x, rtol=1e-4)


def test_measures_of_calibration():
    example = load("breast_cancer")
    probabilities = np.array([0.05, 0.95, 0.95, 0.62, 0.64, 0.98])
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    # Guo's bins of the confidence: 0.62 and 0.64 share one, of which half is right; the others are right.
    expected = (abs(0.62 + 0.64 - 1) + (0.05 + 0.05 + 0.05 + 0.02)) / 6
    assert_allclose(example.calibration_error(probabilities, y), expected)
    curve = example.reliability(probabilities, y)
    assert_allclose(curve, [[0.05, 0.0, 1], [0.63, 0.5, 2], [0.96, 1.0, 3]])


def test_the_area_gathered_over_folds_is_that_of_scikit_learn():
    example = load("breast_cancer")
    generator = np.random.default_rng(1)
    y = generator.integers(0, 2, (5, 60))
    scores = np.clip(0.3 * y + generator.random((5, 60)) * 0.7, 0, 0.999).astype(np.float32)
    ours = example.gather(example.metrics.auc(bins=2000), scores, y)
    assert_allclose(ours, sklearn.metrics.roc_auc_score(y.ravel(), scores.ravel()), atol=1e-3)


def test_folds_share_no_patient():
    train, calibrate, judge = load("breast_cancer").folds(random.key(0), 569)
    for rows in zip(train, calibrate, judge, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(569))
    assert len(np.unique(judge)) == 565


def test_the_bound_with_a_decoder_that_ignores_the_place(monkeypatch):
    # Then the bound is the Bernoulli likelihood less the divergence of normal distributions, in closed form.
    example = load("variational_autoencoder")
    monkeypatch.setattr(example, "decoder", lambda params, place: np.full((len(place), 64), 0.4))
    monkeypatch.setattr(example, "encoder", lambda params, images: np.tile([1.0, -0.5, 0.3, -2.0], (3, 1)))
    images = np.random.default_rng(0).random((3, 64))
    p = 1 / (1 + np.exp(-0.4))
    likelihood = np.sum(images * np.log(p) + (1 - images) * np.log(1 - p), axis=1)
    mean, variance = np.array([1.0, -0.5]), np.exp([0.3, -2.0])
    divergence = np.sum(-0.5 * np.log(variance) + (variance + mean**2) / 2 - 0.5)
    ours = example.bound({"encoder": None, "decoder": None}, images, random.key(0))
    assert_allclose(ours, likelihood - divergence)


def test_an_image_is_moved_as_scipy_moves_it(monkeypatch):
    example = load("digits")
    draws = iter([np.float32([0.3, -0.4]), np.float32(0.1), np.float32([1.05, 0.95])])
    monkeypatch.setattr(example.random, "uniform", lambda *args, **options: next(draws))
    image = np.random.default_rng(0).random((8, 8, 1)).astype(np.float32)
    ours = example.distort(random.key(0), image)
    turn = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]) @ np.diag([1.05, 0.95])
    # About the centre of the image, which two pixels of padding move.
    offset = np.array([3.8, 3.1]) - turn @ [3.5, 3.5]
    theirs = scipy.ndimage.affine_transform(
        np.pad(image[:, :, 0], 2), turn, offset + 2 - turn @ [2, 2], order=1
    )[2:-2, 2:-2]
    assert_allclose(ours[:, :, 0], theirs, atol=1e-5)


def semitones_heard(sound, rate, pitch):
    """Return the pitch of each moment that is loud enough, by autocorrelation, in semitones above another."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 600)[::100]
    frames = frames[np.std(frames, axis=1) > 0.5 * np.max(np.std(frames, axis=1))]
    lags = np.arange(rate // 260, rate // 90)
    likeness = [[np.corrcoef(frame[lag:], frame[:-lag])[0, 1] for lag in lags] for frame in frames]
    return 12 * np.log2(rate / lags[np.argmax(likeness, axis=1)] / pitch)


def test_the_voice_follows_its_contour(monkeypatch):
    example = load("tones")
    monkeypatch.setattr(example, "NOISE", 0.0)
    voices = 150.0, 150.1
    spoken = [example.speak(key, voices) for key in random.split(random.key(0), 24)]
    assert {int(tone) for _, tone in spoken} == {0, 1, 2, 3}
    for sound, tone in spoken:
        heard = semitones_heard(sound, example.RATE, 150)
        first, middle, last = example.CONTOURS[tone]
        # The first and the last moments that are loud enough lie somewhat within the syllable.
        assert_allclose(heard[[0, len(heard) // 2, -1]], (first, middle, last), atol=2.6)


def test_the_meta_gradient_goes_through_the_step():
    # The loss of a linear model after a step of gradient descent, by hand: in one weight w and one example,
    # w' = w - 2 r x (x w - y), and d (x w' - y)^2 / d w = 2 x (x w' - y) (1 - 2 r x^2).
    example = load("maml")
    x, y, w = 1.5, 0.7, 0.2
    points = np.full((1, 1), x), np.full((1, 1), y)

    def model(params, x):
        return x * params

    original, example.model = example.model, model
    try:
        ours = grad(example.loss_after_adapting)(np.float64(w), (points, points))
    finally:
        example.model = original
    rate = example.INNER_RATE
    adapted = w - 2 * rate * x * (x * w - y)
    assert_allclose(ours, 2 * x * (x * adapted - y) * (1 - 2 * rate * x**2), rtol=1e-10)


def test_the_mixture_has_the_moments_of_its_members(monkeypatch):
    example = load("ensembles")
    means, variances = np.array([[1.0], [3.0]]), np.array([[0.5], [1.5]])
    monkeypatch.setattr(example, "predict", lambda params, x: (params["mean"], np.log(params["variance"])))
    mean, deviation, disagreement = example.mixture({"mean": means, "variance": variances}, None)
    assert_allclose((mean[0], deviation[0] ** 2, disagreement[0]), (2.0, 1.0 + 1.0, 1.0))


def test_one_member_is_what_it_would_be_alone():
    example = load("ensembles")
    x, y = example.sample_with_gap(random.key(0))
    together, _ = example.train_ensemble(random.key(1), x, y, 5)
    alone, _ = example.train_member(random.split(random.key(1), example.MEMBERS)[3], x, y, 5)
    for ours, theirs in zip(tree.leaves(together), tree.leaves(alone), strict=True):
        assert_allclose(ours[3], theirs, rtol=1e-4, atol=1e-5)


def test_the_entropies_of_a_text():
    alone, pairs = load("characters_lstm").entropies(np.array([0, 1] * 50 + [0]))
    assert_allclose(alone, np.log(2), rtol=1e-12)
    assert_allclose(pairs, 0.0, atol=1e-12)


def test_a_carry_continues_a_text():
    example = load("characters_lstm")
    params = example.init(random.key(0), 11)
    indices = random.randint(random.key(1), (2, 9), 0, 11)
    _, whole = example.read(params, indices)
    carry, _ = example.read(params, indices[:, :4])
    _, rest = example.read(params, indices[:, 4:], carry)
    assert_allclose(whole[:, 4:], rest, rtol=1e-5, atol=1e-6)
    assert_allclose(
        np.mean(losses.softmax_cross_entropy(whole[:, :-1], indices[:, 1:])),
        example.mean_loss(params, indices),
    )
