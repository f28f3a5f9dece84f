import numpy as np
import pytest
from scipy import stats

from funcdl import augment, random
from transforms import vmap

KEYS = random.split(random.key(4), 400)


def test_cutout_covers_a_rectangle_around_any_pixel():
    image = np.ones((5, 4, 2))
    expected = set()
    for row in range(5):
        for column in range(4):
            covered = image.copy()
            covered[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 1] = 0.25
            expected.add(covered.tobytes())
    results = vmap(lambda key: augment.cutout(key, image, (3, 2), fill=0.25))(KEYS)
    assert {result.tobytes() for result in results} == expected


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_shares_have_the_beta_distribution(alpha, dtype):
    size = 4000
    eye = np.eye(2, dtype=dtype)

    def share(key):
        mixed, _ = augment.mixup(key, eye, eye, alpha=alpha)
        return mixed

    keys = random.split(random.key(9), size)
    mixed = vmap(share)(keys)
    swapped = mixed[:, 0, 1] > 0
    shares = mixed[swapped, 0, 0]
    assert len(shares) > 1500
    # Where the order leaves an example in its place, its share cannot be seen.
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_mixup_mixes_examples_and_labels_alike():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(8, 3, 2)).astype(np.float32)
    y = np.eye(8, dtype=np.float32)
    for key in KEYS[:10]:
        mixed_x, mixed_y = augment.mixup(key, x, y, alpha=1.0)
        np.testing.assert_allclose(mixed_y.sum(axis=-1), 1.0, rtol=1e-6)
        assert np.all((mixed_y > 0).sum(axis=-1) <= 2)
        np.testing.assert_allclose(mixed_x, np.einsum("ij,jkl->ikl", mixed_y, x), atol=1e-5)


def test_cutmix_replaces_a_rectangle_and_its_share_of_the_label():
    size, height, width = 6, 12, 10
    images = np.arange(1.0, size + 1)[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((1, height, width, 1))
    y = np.eye(size)
    shares = []
    for key in KEYS[:40]:
        mixed, labels = augment.cutmix(key, images, y)
        for number in range(size):
            other = mixed[number, ..., 0] != number + 1
            rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
            if len(rows) == 0:
                np.testing.assert_array_equal(labels[number], y[number])
                continue
            box = other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert box.all()
            (source,) = set(mixed[number, ..., 0][other].astype(int) - 1)
            expected = y[number] * (1 - other.mean()) + y[source] * other.mean()
            np.testing.assert_allclose(labels[number], expected, atol=1e-6)
            shares.append(other.mean())
    # The rectangle's share is uniform, less what lies outside of the image.
    assert 0.2 < np.mean(shares) < 0.5
    assert max(shares) > 0.8


def test_a_sequence_gives_each_augmentation_a_key_of_its_own():
    seen = []

    def note(key, image):
        seen.append(key.tobytes())
        return image + 1

    image = np.zeros((2, 2, 1))
    np.testing.assert_array_equal(augment.sequence(note, note, note)(KEYS[0], image), image + 3)
    assert len(set(seen)) == 3
    assert KEYS[0].tobytes() not in seen
