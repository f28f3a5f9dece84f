"""The reference backend: a graph becomes the NumPy source that a person would have written for it."""

from transforms.backends.numpy.executable import compile_graph as compile_graph
