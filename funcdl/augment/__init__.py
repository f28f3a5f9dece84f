"""Image augmentations as pure functions of a key.

Each takes one image, floating, of shape (height, width, channels), and follows from its key alone;
`batched` applies one to a batch. They are plain NumPy, so they run under ``vmap`` and ``jit`` and can be
differentiated. What mixes examples, `mixup` and `cutmix`, takes a batch and its labels.
"""

from funcdl.augment.color import adjust_brightness as adjust_brightness
from funcdl.augment.color import adjust_contrast as adjust_contrast
from funcdl.augment.color import adjust_hue as adjust_hue
from funcdl.augment.color import adjust_saturation as adjust_saturation
from funcdl.augment.color import color_jitter as color_jitter
from funcdl.augment.color import grayscale as grayscale
from funcdl.augment.composing import batched as batched
from funcdl.augment.composing import sequence as sequence
from funcdl.augment.erasing import cutout as cutout
from funcdl.augment.geometry import random_crop as random_crop
from funcdl.augment.geometry import random_flip as random_flip
from funcdl.augment.geometry import random_resized_crop as random_resized_crop
from funcdl.augment.geometry import random_rotation as random_rotation
from funcdl.augment.geometry import random_shift as random_shift
from funcdl.augment.geometry import rotate as rotate
from funcdl.augment.geometry import shift as shift
from funcdl.augment.mixing import cutmix as cutmix
from funcdl.augment.mixing import mixup as mixup
from funcdl.augment.sampling import bilinear as bilinear
from funcdl.augment.sampling import resize as resize
