"""Pictures of what was learned. They need matplotlib: ``pip install "funcdl[plot]"``."""

from funcdl.plot.boundary import decision_boundary as decision_boundary
from funcdl.plot.curves import learning_curves as learning_curves
from funcdl.plot.kernels import filters as filters
from funcdl.plot.matrices import attention as attention
from funcdl.plot.matrices import confusion_matrix as confusion_matrix
from funcdl.plot.points import embeddings as embeddings
