"""Programs in files that other runtimes read: StableHLO through JAX, and ONNX.

A file holds one program for arguments of fixed types, and the arrays that the function closes over. So for a
trained model, write ``lambda x: model(params, x)``, or ``model.apply`` with ``training=False``.
"""

from funcdl.export.onnx_file import save_onnx as save_onnx
from funcdl.export.stablehlo import load_stablehlo as load_stablehlo
from funcdl.export.stablehlo import save_stablehlo as save_stablehlo
