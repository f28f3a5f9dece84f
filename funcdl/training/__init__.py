"""Training as a fold: a pure step, the loop that repeats it, and what it leads to."""

from funcdl.training.early_stopping import Best as Best
from funcdl.training.early_stopping import EarlyStopping as EarlyStopping
from funcdl.training.inference import evaluate as evaluate
from funcdl.training.inference import predict as predict
from funcdl.training.loop import FitResult as FitResult
from funcdl.training.loop import NonFiniteLossError as NonFiniteLossError
from funcdl.training.loop import fit as fit
from funcdl.training.state import TrainState as TrainState
from funcdl.training.state import init as init
from funcdl.training.step import train_step as train_step
