"""Training as a fold: a pure step, the loop that repeats it, and what it leads to."""

from funcdl.training.callback import Callback as Callback
from funcdl.training.callback import Decision as Decision
from funcdl.training.callback import Run as Run
from funcdl.training.callbacks import Best as Best
from funcdl.training.callbacks import checkpoint as checkpoint
from funcdl.training.callbacks import early_stopping as early_stopping
from funcdl.training.callbacks import ema_swap as ema_swap
from funcdl.training.callbacks import log_csv as log_csv
from funcdl.training.callbacks import log_learning_rate as log_learning_rate
from funcdl.training.callbacks import log_tensorboard as log_tensorboard
from funcdl.training.callbacks import swap_average as swap_average
from funcdl.training.callbacks import terminate_on_nan as terminate_on_nan
from funcdl.training.inference import evaluate as evaluate
from funcdl.training.inference import predict as predict
from funcdl.training.loop import FitResult as FitResult
from funcdl.training.loop import NonFiniteLossError as NonFiniteLossError
from funcdl.training.loop import fit as fit
from funcdl.training.state import TrainState as TrainState
from funcdl.training.state import init as init
from funcdl.training.step import train_step as train_step
