"""NumPy functions written in terms of primitives, by topic. Importing this package declares them.

What belongs to one family of primitives stands with that family, in `transforms.primitives`.
"""

from transforms.compositions import complex_results as complex_results
from transforms.compositions import covariance as covariance
from transforms.compositions import creation as creation
from transforms.compositions import histograms as histograms
from transforms.compositions import interpolation as interpolation
from transforms.compositions import like as like
from transforms.compositions import places as places
from transforms.compositions import polynomial_fit as polynomial_fit
from transforms.compositions import polynomials as polynomials
from transforms.compositions import ranges as ranges
from transforms.compositions import refused as refused
from transforms.compositions import representation as representation
