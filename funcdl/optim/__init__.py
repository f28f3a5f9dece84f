"""Optimizers: pure functions from gradients, a state and parameters to updates and the next state.

An `Optimizer` is a pair ``(init, update)`` with the contract of optax; `apply_updates` adds the updates to
the parameters, `chain` makes one optimizer from several. A learning rate is a number or a function of the
step (`schedules`).

Functions that make an optimizer return an `Optimizer`. They raise TypeError for a hyperparameter that is no
number, and ValueError for one that is out of the range that its line gives; ``update`` raises
`transforms.errors.TreeMismatchError`, a ValueError, where gradients, state and parameters do not fit each
other, and names the first path.

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
from funcdl.optim.adabelief import adabelief as adabelief
from funcdl.optim.adabelief import scale_by_belief as scale_by_belief
from funcdl.optim.adadelta import ScaleByAdadeltaState as ScaleByAdadeltaState
from funcdl.optim.adadelta import adadelta as adadelta
from funcdl.optim.adadelta import scale_by_adadelta as scale_by_adadelta
from funcdl.optim.adafactor import FactoredSquares as FactoredSquares
from funcdl.optim.adafactor import ScaleByFactoredRmsState as ScaleByFactoredRmsState
from funcdl.optim.adafactor import adafactor as adafactor
from funcdl.optim.adafactor import scale_by_factored_rms as scale_by_factored_rms
from funcdl.optim.adafactor import scale_by_param_block_rms as scale_by_param_block_rms
from funcdl.optim.adagrad import ScaleByRssState as ScaleByRssState
from funcdl.optim.adagrad import adagrad as adagrad
from funcdl.optim.adagrad import scale_by_rss as scale_by_rss
from funcdl.optim.adam import ScaleByAdamState as ScaleByAdamState
from funcdl.optim.adam import adam as adam
from funcdl.optim.adam import adamw as adamw
from funcdl.optim.adam import scale_by_adam as scale_by_adam
from funcdl.optim.adamax import ScaleByAdamaxState as ScaleByAdamaxState
from funcdl.optim.adamax import adamax as adamax
from funcdl.optim.adamax import adamaxw as adamaxw
from funcdl.optim.adamax import scale_by_adamax as scale_by_adamax
from funcdl.optim.amsgrad import ScaleByAmsgradState as ScaleByAmsgradState
from funcdl.optim.amsgrad import amsgrad as amsgrad
from funcdl.optim.amsgrad import scale_by_amsgrad as scale_by_amsgrad
from funcdl.optim.clipping import clip as clip
from funcdl.optim.clipping import clip_by_block_rms as clip_by_block_rms
from funcdl.optim.clipping import clip_by_global_norm as clip_by_global_norm
from funcdl.optim.clipping import clip_by_norm as clip_by_norm
from funcdl.optim.clipping import global_norm as global_norm
from funcdl.optim.decay import add_decayed_weights as add_decayed_weights
from funcdl.optim.ema import AverageParamsState as AverageParamsState
from funcdl.optim.ema import EmaState as EmaState
from funcdl.optim.ema import average_params as average_params
from funcdl.optim.ema import ema as ema
from funcdl.optim.gradients import PrivateAggregateState as PrivateAggregateState
from funcdl.optim.gradients import adaptive_clip as adaptive_clip
from funcdl.optim.gradients import centralize as centralize
from funcdl.optim.gradients import per_example_clip as per_example_clip
from funcdl.optim.gradients import private_aggregate as private_aggregate
from funcdl.optim.groups import freeze as freeze
from funcdl.optim.groups import masked as masked
from funcdl.optim.groups import partition as partition
from funcdl.optim.groups import set_to_zero as set_to_zero
from funcdl.optim.lbfgs import ScaleByLbfgsState as ScaleByLbfgsState
from funcdl.optim.lbfgs import scale_by_lbfgs as scale_by_lbfgs
from funcdl.optim.lookahead import LookaheadState as LookaheadState
from funcdl.optim.lookahead import lookahead as lookahead
from funcdl.optim.loss_scale import LossScaleState as LossScaleState
from funcdl.optim.loss_scale import dynamic_loss_scale as dynamic_loss_scale
from funcdl.optim.loss_scale import scale_loss as scale_loss
from funcdl.optim.loss_scale import static_loss_scale as static_loss_scale
from funcdl.optim.masks import path_mask as path_mask
from funcdl.optim.minimize import LbfgsState as LbfgsState
from funcdl.optim.minimize import Minimizer as Minimizer
from funcdl.optim.minimize import Minimum as Minimum
from funcdl.optim.minimize import lbfgs as lbfgs
from funcdl.optim.minimize import minimize as minimize
from funcdl.optim.muon import ScaleByMuonState as ScaleByMuonState
from funcdl.optim.muon import muon as muon
from funcdl.optim.muon import orthogonalize as orthogonalize
from funcdl.optim.muon import scale_by_muon as scale_by_muon
from funcdl.optim.nadam import nadam as nadam
from funcdl.optim.nadam import nadamw as nadamw
from funcdl.optim.noise import AddNoiseState as AddNoiseState
from funcdl.optim.noise import add_noise as add_noise
from funcdl.optim.noise import noisy_sgd as noisy_sgd
from funcdl.optim.novograd import ScaleByNovogradState as ScaleByNovogradState
from funcdl.optim.novograd import novograd as novograd
from funcdl.optim.novograd import scale_by_novograd as scale_by_novograd
from funcdl.optim.optimizer import Optimizer as Optimizer
from funcdl.optim.optimizer import apply_updates as apply_updates
from funcdl.optim.optimizer import chain as chain
from funcdl.optim.plateau import PlateauState as PlateauState
from funcdl.optim.plateau import observe_value as observe_value
from funcdl.optim.plateau import reduce_on_plateau as reduce_on_plateau
from funcdl.optim.precision import MasterParamsState as MasterParamsState
from funcdl.optim.precision import master_params as master_params
from funcdl.optim.projections import constrain as constrain
from funcdl.optim.projections import project_max_norm as project_max_norm
from funcdl.optim.projections import project_non_negative as project_non_negative
from funcdl.optim.projections import project_simplex as project_simplex
from funcdl.optim.projections import project_unit_norm as project_unit_norm
from funcdl.optim.radam import radam as radam
from funcdl.optim.radam import scale_by_radam as scale_by_radam
from funcdl.optim.rmsprop import ScaleByRmsState as ScaleByRmsState
from funcdl.optim.rmsprop import ScaleByStddevState as ScaleByStddevState
from funcdl.optim.rmsprop import rmsprop as rmsprop
from funcdl.optim.rmsprop import scale_by_rms as scale_by_rms
from funcdl.optim.rmsprop import scale_by_stddev as scale_by_stddev
from funcdl.optim.rprop import ScaleByRpropState as ScaleByRpropState
from funcdl.optim.rprop import rprop as rprop
from funcdl.optim.rprop import scale_by_rprop as scale_by_rprop
from funcdl.optim.sam import SAMState as SAMState
from funcdl.optim.sam import normalize as normalize
from funcdl.optim.sam import sam as sam
from funcdl.optim.scaling import ScaleByScheduleState as ScaleByScheduleState
from funcdl.optim.scaling import scale as scale
from funcdl.optim.scaling import scale_by_learning_rate as scale_by_learning_rate
from funcdl.optim.scaling import scale_by_schedule as scale_by_schedule
from funcdl.optim.schedule_free import ScheduleFreeState as ScheduleFreeState
from funcdl.optim.schedule_free import schedule_free as schedule_free
from funcdl.optim.schedule_free import schedule_free_adamw as schedule_free_adamw
from funcdl.optim.schedule_free import schedule_free_eval_params as schedule_free_eval_params
from funcdl.optim.schedule_free import schedule_free_sgd as schedule_free_sgd
from funcdl.optim.schedules import Schedule as Schedule
from funcdl.optim.sgd import TraceState as TraceState
from funcdl.optim.sgd import sgd as sgd
from funcdl.optim.sgd import trace as trace
from funcdl.optim.signs import ScaleByLionState as ScaleByLionState
from funcdl.optim.signs import lion as lion
from funcdl.optim.signs import scale_by_lion as scale_by_lion
from funcdl.optim.signs import scale_by_sign as scale_by_sign
from funcdl.optim.signs import sign_sgd as sign_sgd
from funcdl.optim.sm3 import ScaleBySM3State as ScaleBySM3State
from funcdl.optim.sm3 import scale_by_sm3 as scale_by_sm3
from funcdl.optim.sm3 import sm3 as sm3
from funcdl.optim.states import find_state as find_state
from funcdl.optim.states import replace_state as replace_state
from funcdl.optim.trust_ratio import lamb as lamb
from funcdl.optim.trust_ratio import lars as lars
from funcdl.optim.trust_ratio import scale_by_trust_ratio as scale_by_trust_ratio
from funcdl.optim.wrappers import AccumulateState as AccumulateState
from funcdl.optim.wrappers import ApplyIfFiniteState as ApplyIfFiniteState
from funcdl.optim.wrappers import HyperparametersState as HyperparametersState
from funcdl.optim.wrappers import accumulate as accumulate
from funcdl.optim.wrappers import apply_if_finite as apply_if_finite
from funcdl.optim.wrappers import inject_hyperparameters as inject_hyperparameters
from funcdl.optim.yogi import scale_by_yogi as scale_by_yogi
from funcdl.optim.yogi import yogi as yogi
