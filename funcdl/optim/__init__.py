"""Optimizers: pure functions from gradients, a state and parameters to updates and the next state.

An `Optimizer` is a pair ``(init, update)`` with the contract of optax; `apply_updates` adds the updates to
the parameters, `chain` makes one optimizer from several. A learning rate is a number or a function of the
step (`schedules`).

>>> import numpy as np
>>> from funcdl import optim
>>> optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(optim.schedules.cosine_decay(0.2, 50)))
>>> params = {"w": np.float32([2.0])}
>>> state = optimizer.init(params)
>>> for _ in range(50):
...     grads = {"w": 2.0 * params["w"]}
...     updates, state = optimizer.update(grads, state, params)
...     params = optim.apply_updates(params, updates)
>>> params["w"].dtype, bool(abs(params["w"][0]) < 0.1)
(dtype('float32'), True)
"""

from funcdl.optim import schedules as schedules
from funcdl.optim.adam import ScaleByAdamState as ScaleByAdamState
from funcdl.optim.adam import adam as adam
from funcdl.optim.adam import adamw as adamw
from funcdl.optim.adam import scale_by_adam as scale_by_adam
from funcdl.optim.clipping import clip as clip
from funcdl.optim.clipping import clip_by_global_norm as clip_by_global_norm
from funcdl.optim.clipping import clip_by_norm as clip_by_norm
from funcdl.optim.clipping import global_norm as global_norm
from funcdl.optim.decay import add_decayed_weights as add_decayed_weights
from funcdl.optim.optimizer import Optimizer as Optimizer
from funcdl.optim.optimizer import apply_updates as apply_updates
from funcdl.optim.optimizer import chain as chain
from funcdl.optim.rmsprop import ScaleByRmsState as ScaleByRmsState
from funcdl.optim.rmsprop import ScaleByStddevState as ScaleByStddevState
from funcdl.optim.rmsprop import rmsprop as rmsprop
from funcdl.optim.rmsprop import scale_by_rms as scale_by_rms
from funcdl.optim.rmsprop import scale_by_stddev as scale_by_stddev
from funcdl.optim.scaling import ScaleByScheduleState as ScaleByScheduleState
from funcdl.optim.scaling import scale as scale
from funcdl.optim.scaling import scale_by_learning_rate as scale_by_learning_rate
from funcdl.optim.scaling import scale_by_schedule as scale_by_schedule
from funcdl.optim.schedules import Schedule as Schedule
from funcdl.optim.sgd import TraceState as TraceState
from funcdl.optim.sgd import sgd as sgd
from funcdl.optim.sgd import trace as trace
