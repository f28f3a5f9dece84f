"""Features of sound: frames, Fourier transforms, mel spectrograms, cepstra.

They are plain NumPy functions of arrays whose last axis counts samples, so they run under ``jit`` and
``vmap`` and can be differentiated: a spectrogram may be part of a model. Features lie on the last axis,
frames on the one before.
"""

from funcdl.audio.cepstrum import dct as dct
from funcdl.audio.cepstrum import decibels as decibels
from funcdl.audio.cepstrum import mfcc as mfcc
from funcdl.audio.fourier import istft as istft
from funcdl.audio.fourier import spectrogram as spectrogram
from funcdl.audio.fourier import stft as stft
from funcdl.audio.frames import frame as frame
from funcdl.audio.frames import overlap_add as overlap_add
from funcdl.audio.mel import hertz_to_mel as hertz_to_mel
from funcdl.audio.mel import mel_filters as mel_filters
from funcdl.audio.mel import mel_spectrogram as mel_spectrogram
from funcdl.audio.mel import mel_to_hertz as mel_to_hertz
