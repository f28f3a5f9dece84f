"""Working forms of the NumPy functions that turn a traced argument into a plain array.

NumPy's own protocols reach all its other functions, and those are called from NumPy itself. For
these few, a call on a traced array raises an error that names the form here.
"""

from transforms.compositions.creation import arange as arange
from transforms.compositions.creation import array as array
from transforms.compositions.creation import asarray as asarray
from transforms.compositions.creation import full as full
from transforms.numpy.vectorize import vectorize as vectorize
