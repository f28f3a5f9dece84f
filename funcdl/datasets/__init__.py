"""Data to learn from: drawn from a key, bundled with scikit-learn, or in the files of a folder.

Images come as float32 in [0, 1] with channels last, classes as int64. Nothing is downloaded unless
``download=True`` says so, and then a file of another checksum is refused.
"""

from funcdl.datasets.bundled import breast_cancer as breast_cancer
from funcdl.datasets.bundled import diabetes as diabetes
from funcdl.datasets.bundled import digits as digits
from funcdl.datasets.bundled import iris as iris
from funcdl.datasets.bundled import wine as wine
from funcdl.datasets.cifar import cifar10 as cifar10
from funcdl.datasets.cifar import read_cifar as read_cifar
from funcdl.datasets.corpus import text_files as text_files
from funcdl.datasets.files import DatasetError as DatasetError
from funcdl.datasets.files import Split as Split
from funcdl.datasets.files import fetch as fetch
from funcdl.datasets.idx import read_idx as read_idx
from funcdl.datasets.mnist import fashion_mnist as fashion_mnist
from funcdl.datasets.mnist import mnist as mnist
from funcdl.datasets.points import moons as moons
from funcdl.datasets.points import sine as sine
from funcdl.datasets.points import spiral as spiral
from funcdl.datasets.sound import Sound as Sound
from funcdl.datasets.sound import SpeechCommands as SpeechCommands
from funcdl.datasets.sound import read_wav as read_wav
from funcdl.datasets.sound import speech_commands as speech_commands
