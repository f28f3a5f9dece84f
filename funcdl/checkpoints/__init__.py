"""Trees of arrays in files: written whole or not at all, refused where they do not fit."""

from funcdl.checkpoints.folder import Folder as Folder
from funcdl.checkpoints.trees import CheckpointError as CheckpointError
from funcdl.checkpoints.trees import load as load
from funcdl.checkpoints.trees import load_partial as load_partial
from funcdl.checkpoints.trees import manifest as manifest
from funcdl.checkpoints.trees import metadata as metadata
from funcdl.checkpoints.trees import save as save
