import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from funcdl import datasets

CLASSES = ["digits", "iris", "wine", "breast_cancer"]


@pytest.mark.parametrize("name", [*CLASSES, "diabetes"])
def test_they_are_those_of_scikit_learn(name):
    x, y = getattr(datasets, name)()
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    expected = bunch.images[..., np.newaxis] / 16 if name == "digits" else bunch.data
    assert x.shape == expected.shape
    np.testing.assert_allclose(x, expected, rtol=1e-6)
    assert x.dtype == np.float32
    if name == "diabetes":
        np.testing.assert_array_equal(y[:, 0], bunch.target)
        assert y.dtype == np.float32
    else:
        np.testing.assert_array_equal(y, bunch.target)
        assert y.dtype == np.int64


def test_without_scikit_learn_the_error_says_what_to_install():
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'sklearn':\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from funcdl import datasets\n"
        "datasets.iris()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: datasets.iris: sklearn must be installed, got no such module; "
        'run pip install "funcdl[datasets]"'
    )
