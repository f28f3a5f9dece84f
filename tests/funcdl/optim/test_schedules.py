import jax
import numpy as np
import optax
import pytest

from funcdl.optim import schedules

COUNTS = np.arange(40, dtype=np.int32)

CASES = {
    "constant": (schedules.constant(0.3), optax.constant_schedule(0.3)),
    "polynomial": (schedules.polynomial(1.0, 0.1, 2.5, 20), optax.polynomial_schedule(1.0, 0.1, 2.5, 20)),
    "polynomial, later": (
        schedules.polynomial(0.1, 1.0, 0.5, 20, transition_begin=7),
        optax.polynomial_schedule(0.1, 1.0, 0.5, 20, transition_begin=7),
    ),
    "linear": (
        schedules.linear(1.0, 0.1, 20, transition_begin=3),
        optax.linear_schedule(1.0, 0.1, 20, transition_begin=3),
    ),
    "warmup": (schedules.warmup(0.1, 1.0, 10), optax.warmup_constant_schedule(0.1, 1.0, 10)),
    "exponential_decay": (schedules.exponential_decay(1.0, 7, 0.5), optax.exponential_decay(1.0, 7, 0.5)),
    "exponential_decay, in stairs, later": (
        schedules.exponential_decay(1.0, 7, 0.5, transition_begin=5, staircase=True),
        optax.exponential_decay(1.0, 7, 0.5, transition_begin=5, staircase=True),
    ),
    "exponential_decay, bounded": (
        schedules.exponential_decay(1.0, 7, 0.5, end_value=0.2),
        optax.exponential_decay(1.0, 7, 0.5, end_value=0.2),
    ),
    "exponential growth, bounded": (
        schedules.exponential_decay(1.0, 7, 1.5, end_value=2.0),
        optax.exponential_decay(1.0, 7, 1.5, end_value=2.0),
    ),
    "cosine_decay": (schedules.cosine_decay(0.5, 20), optax.cosine_decay_schedule(0.5, 20)),
    "cosine_decay, alpha, exponent": (
        schedules.cosine_decay(0.5, 20, alpha=0.1, exponent=2.0),
        optax.cosine_decay_schedule(0.5, 20, alpha=0.1, exponent=2.0),
    ),
    "warmup_cosine_decay": (
        schedules.warmup_cosine_decay(0.0, 1.0, 10, 30),
        optax.warmup_cosine_decay_schedule(0.0, 1.0, 10, 30),
    ),
    "warmup_cosine_decay, end, exponent": (
        schedules.warmup_cosine_decay(0.2, 1.0, 10, 30, end_value=0.1, exponent=1.5),
        optax.warmup_cosine_decay_schedule(0.2, 1.0, 10, 30, end_value=0.1, exponent=1.5),
    ),
    "warmup_cosine_decay without warm-up": (
        schedules.warmup_cosine_decay(0.0, 1.0, 0, 30),
        optax.warmup_cosine_decay_schedule(0.0, 1.0, 0, 30),
    ),
    "piecewise_constant": (
        schedules.piecewise_constant(2.0, {20: 0.5, 5: 0.1}),
        optax.piecewise_constant_schedule(2.0, {20: 0.5, 5: 0.1}),
    ),
    "join_schedules": (
        schedules.join_schedules(
            [
                schedules.linear(0.0, 1.0, 9),
                schedules.constant(0.7),
                schedules.exponential_decay(1.0, 3, 0.5),
            ],
            [9, 15],
        ),
        optax.join_schedules(
            [
                optax.linear_schedule(0.0, 1.0, 9),
                optax.constant_schedule(0.7),
                optax.exponential_decay(1.0, 3, 0.5),
            ],
            [9, 15],
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_optax(case):
    ours, theirs = CASES[case]
    with jax.enable_x64(True):
        expected = np.broadcast_to(theirs(jax.numpy.asarray(COUNTS)), COUNTS.shape)
    # All at once, as one plots a schedule, and one by one, as an optimizer calls it.
    np.testing.assert_allclose(np.broadcast_to(ours(COUNTS), COUNTS.shape), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([ours(count) for count in COUNTS], expected, rtol=1e-6, atol=1e-9)


def test_a_warmup_of_no_steps_starts_at_the_peak():
    assert schedules.warmup(0.0, 0.5, 0)(0) == 0.5


def test_a_joined_schedule_never_sees_a_negative_count():
    def inverse_root(count):
        return 1.0 / np.sqrt(count + 1.0)

    schedule = schedules.join_schedules([schedules.constant(1.0), inverse_root], [5])
    # Would warn, hence fail, at a negative argument of the root.
    assert [schedule(np.int32(count)) for count in (0, 5, 8)] == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: schedules.constant("fast"),
            "schedules.constant: the value must be a real number, got 'fast'",
        ),
        (
            lambda: schedules.constant(np.ones(3)),
            "schedules.constant: the value must be a real number, got array([1., 1., 1.])",
        ),
        (
            lambda: schedules.linear(0.0, 1.0, 2.5),
            "schedules.linear: transition_steps must be an integer, got 2.5",
        ),
    ],
)
def test_wrong_types(make, text):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: schedules.constant(float("nan")),
            "schedules.constant: the value must be finite, got nan",
        ),
        (
            lambda: schedules.polynomial(1.0, 0.0, -1.0, 10),
            "schedules.polynomial: power must be in (0, inf), got -1.0",
        ),
        (
            lambda: schedules.polynomial(1.0, 0.0, 1.0, 0),
            "schedules.polynomial: transition_steps must be at least 1, got 0",
        ),
        (
            lambda: schedules.linear(1.0, 0.0, 5, transition_begin=-1),
            "schedules.linear: transition_begin must be at least 0, got -1",
        ),
        (
            lambda: schedules.warmup(0.0, 1.0, -1),
            "schedules.warmup: warmup_steps must be at least 0, got -1",
        ),
        (
            lambda: schedules.warmup_cosine_decay(0.0, 1.0, -1, 10),
            "schedules.warmup_cosine_decay: warmup_steps must be at least 0, got -1",
        ),
        (
            lambda: schedules.exponential_decay(1.0, 10, 0.0),
            "schedules.exponential_decay: decay_rate must be in (0, inf), got 0.0",
        ),
        (
            lambda: schedules.cosine_decay(1.0, 10, alpha=-0.1),
            "schedules.cosine_decay: alpha must be in [0, inf), got -0.1",
        ),
        (
            lambda: schedules.warmup_cosine_decay(0.0, 1.0, 10, 10),
            "schedules.warmup_cosine_decay: decay_steps must be at least 11, got 10",
        ),
        (
            lambda: schedules.piecewise_constant(1.0, {10: -0.5}),
            "schedules.piecewise_constant: the scale at 10 must be in [0, inf), got -0.5",
        ),
        (
            lambda: schedules.join_schedules([schedules.constant(1.0)], [10]),
            "schedules.join_schedules: boundaries must be one fewer than the schedules, "
            "got 1 boundaries for 1 schedules",
        ),
        (
            lambda: schedules.join_schedules([schedules.constant(1.0)] * 3, [10, 5]),
            "schedules.join_schedules: boundaries must not decrease, got [10, 5]",
        ),
    ],
)
def test_wrong_values(make, text):
    with pytest.raises(ValueError, match=r"^schedules\.") as caught:
        make()
    assert str(caught.value) == text
