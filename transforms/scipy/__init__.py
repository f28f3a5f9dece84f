"""Working forms of the SciPy functions that NumPy cannot intercept."""

from transforms.scipy import linalg as linalg
from transforms.scipy import special as special
