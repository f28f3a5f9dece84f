"""Mini-batches and splits of data that lies in arrays.

Data is a tree of arrays with one entry per example along their first axes: ``(x, y)``, or
``{"image": ..., "label": ...}``. A batch is a tree of the same structure. Sources of batches are values,
and so are positions in them.
"""

from funcdl.data.batches import Batches as Batches
from funcdl.data.batches import batches as batches
from funcdl.data.loader import BatchIterator as BatchIterator
from funcdl.data.loader import Loader as Loader
from funcdl.data.loader import Position as Position
from funcdl.data.mapping import Mapped as Mapped
from funcdl.data.mapping import mapped as mapped
from funcdl.data.padding import Masked as Masked
from funcdl.data.padding import Padded as Padded
from funcdl.data.padding import pad as pad
from funcdl.data.padding import padded as padded
from funcdl.data.prefetching import Prefetched as Prefetched
from funcdl.data.prefetching import prefetched as prefetched
from funcdl.data.sharding import sharded as sharded
from funcdl.data.splitting import train_test_split as train_test_split
