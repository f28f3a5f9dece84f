"""Rules: how the equations of primitives that are not elementwise become steps. One family a file."""

from __future__ import annotations

from transforms.backends.llvm.rules import branches as branches
from transforms.backends.llvm.rules import convolution as convolution
from transforms.backends.llvm.rules import indexing as indexing
from transforms.backends.llvm.rules import loops as loops
from transforms.backends.llvm.rules import order as order
from transforms.backends.llvm.rules import parts as parts
from transforms.backends.llvm.rules import products as products
from transforms.backends.llvm.rules import reductions as reductions
from transforms.backends.llvm.rules import running as running
from transforms.backends.llvm.rules import views as views
from transforms.backends.llvm.rules import while_loops as while_loops
from transforms.backends.llvm.rules import windows as windows
