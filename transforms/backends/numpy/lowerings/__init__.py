"""How each primitive is written as NumPy source, one family a file; importing registers them."""

from transforms.backends.numpy.lowerings import casts as casts
from transforms.backends.numpy.lowerings import choice as choice
from transforms.backends.numpy.lowerings import complex_numbers as complex_numbers
from transforms.backends.numpy.lowerings import cumulative as cumulative
from transforms.backends.numpy.lowerings import gathering as gathering
from transforms.backends.numpy.lowerings import joining as joining
from transforms.backends.numpy.lowerings import matmul as matmul
from transforms.backends.numpy.lowerings import power as power
from transforms.backends.numpy.lowerings import reduction as reduction
from transforms.backends.numpy.lowerings import shape as shape
from transforms.backends.numpy.lowerings import slicing as slicing
from transforms.backends.numpy.lowerings import sorting as sorting
from transforms.backends.numpy.lowerings import ufuncs as ufuncs
