"""How each primitive is written as NumPy source, one family a file; importing registers them."""

from transforms.backends.numpy.lowerings import (
    casts as casts,
    choice as choice,
    complex_numbers as complex_numbers,
    cumulative as cumulative,
    gathering as gathering,
    joining as joining,
    matmul as matmul,
    power as power,
    reduction as reduction,
    shape as shape,
    slicing as slicing,
    sorting as sorting,
    ufuncs as ufuncs,
)
