"""Hear whether a voice rises, falls, dips or stays level: spectrograms, and a convolution over time.

In tonal languages the melody of a syllable is part of the word. The syllables are made here: pulses of a
voice whose pitch follows one of four contours, through the resonances of one of five vowels, spoken by
voices from deep to high, at any moment of a noisy half second. Neither the pitch, nor the vowel, nor the
moment tells the tone: only how the harmonics move does. The classifier sees the logarithm of the short-time
spectrum, and is tested also with voices higher and deeper than those that it was trained with.

Klatt (1980), "Software for a cascade/parallel formant synthesizer", doi:10.1121/1.383940, for the voice;
Chao (1968), "A grammar of spoken Chinese", for the contours.

Run it with ``python examples/tones.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

import transforms
from funcdl import audio, losses, metrics, nn, optim, random
from transforms import at, jit, scan, value_and_grad

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "tones.png"

RATE = 8000  # samples in a second
LENGTH = 5120
FRAME, HOP, BINS = 400, 160, 100
HARMONICS = 40
TONES = ("level", "rising", "dipping", "falling")
# Contours in semitones, from the first to the last moment of the syllable.
CONTOURS = ((4.0, 4.0, 4.0), (-2.0, 0.0, 4.0), (-1.0, -5.0, 0.0), (4.0, 1.0, -6.0))
# The lowest three resonances of five vowels, in Hz.
VOWELS = {"a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (270, 2290, 3010)}
VOWELS |= {"o": (570, 840, 2410), "u": (300, 870, 2240)}
VOICES, NEW_VOICES = (100.0, 200.0), (80.0, 260.0)  # pitch in Hz, least and largest
NOISE = 0.1

BATCH_SIZE = 32
LEARNING_RATE = 3e-3

model = nn.serial(
    nn.conv(16, (5, 5), strides=2),
    nn.relu,
    nn.conv(32, (3, 3), strides=2),
    nn.relu,
    nn.conv(32, (3, 3), strides=2),
    nn.relu,
    nn.global_average_pool,
    nn.dense(len(TONES)),
)


def speak(key, voices):
    """Return half a second of sound, float32 [LENGTH], and which of the tones it has."""
    keys = random.split(key, 7)
    tone = random.randint(keys[0], (), 0, len(TONES))
    vowel = random.randint(keys[1], (), 0, len(VOWELS))
    low, high = voices
    pitch = low * (high / low) ** random.uniform(keys[2])
    duration = random.uniform(keys[3], minval=0.35, maxval=0.5)
    onset = random.uniform(keys[4], minval=0.02, maxval=0.12)

    # The moment within the syllable, from 0 to 1, and the contour through three points at that moment.
    time = np.arange(LENGTH, dtype=np.float32) / RATE
    moment = np.clip((time - onset) / duration, 0, 1)
    first, middle, last = at(np.float32(CONTOURS))[tone].get()
    semitones = (
        first * (1 - moment) * (1 - 2 * moment)
        + middle * 4 * moment * (1 - moment)
        + last * moment * (2 * moment - 1)
    )
    frequency = pitch * 2 ** (semitones / 12)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE

    # Each harmonic is as strong as the resonances of the vowel make it.
    number = np.arange(1, HARMONICS + 1, dtype=np.float32)[:, None]
    height = number * frequency
    resonances = at(np.float32(list(VOWELS.values())))[vowel].get()
    gain = sum(1 / (1 + ((height - resonances[i]) / 100) ** 2) for i in range(3))
    audible = height < 0.45 * RATE
    voice = np.sum(np.where(audible, gain * np.sin(number * phase), 0), axis=0)
    loudness = np.sqrt(np.maximum(np.sin(np.pi * moment), 0))
    sound = loudness * voice / np.max(np.abs(voice))
    return sound + NOISE * random.normal(keys[5], (LENGTH,)), tone


def spectrogram(sound):
    """Return the logarithm of the short-time power below 2 kHz, scaled; float32 [frames, bins, 1]."""
    power = audio.spectrogram(sound, FRAME, hop=HOP, center=False)[:, :BINS]
    level = np.log(1e-3 + power)
    return ((level - np.mean(level)) / np.std(level))[..., None]


def record(key, count, voices):
    """Return spectrograms, float32 [count, frames, bins, 1], and tones, of many syllables."""

    def one(key):
        sound, tone = speak(key, voices)
        return spectrogram(sound), tone

    return jit(lambda keys: transforms.map(one, keys))(random.split(key, count))


def train(key, x, y, epochs):
    """Return the trained parameters, and the loss of each epoch."""
    init_key, train_key = random.split(key)
    params, _ = model.init(init_key, x[:1])
    batches = len(x) // BATCH_SIZE
    optimizer = optim.adam(optim.schedules.one_cycle(LEARNING_RATE, epochs * batches))

    @jit
    def epoch(carry, key, x, y):
        def step(carry, rows):
            params, opt_state = carry
            loss, grads = value_and_grad(
                lambda params: np.mean(losses.softmax_cross_entropy(model(params, x[rows]), y[rows]))
            )(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), loss

        order = random.permutation(key, len(x))[: batches * BATCH_SIZE]
        carry, of_batches = scan(step, carry, np.reshape(order, (batches, BATCH_SIZE)))
        return carry, np.mean(of_batches)

    carry, history = (params, optimizer.init(params)), []
    for epoch_key in random.split(train_key, epochs):
        carry, loss = epoch(carry, epoch_key, x, y)
        history.append(float(loss))
    return carry[0], history


def draw(x, y, path):
    """Draw a spectrogram of each tone."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 4, figsize=(4.6, 2.2), layout="constrained", sharey=True)
    extent = (0, LENGTH / RATE, 0, BINS * RATE / FRAME / 1000)
    for tone, panel in enumerate(panels):
        image = x[np.flatnonzero(y == tone)[0], :, :, 0].T
        panel.imshow(image, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=0.6, vmax=2.5)
        panel.set_title(TONES[tone], fontsize=11)
        panel.set(xticks=(0, 0.5), yticks=(0, 1, 2))
    panels[0].set_ylabel("kHz")
    figure.supxlabel("seconds", fontsize=10)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main(arguments=None):
    """Make sounds, train, and listen to voices that are deeper and higher."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the data (default: 15)")
    parser.add_argument("--syllables", type=int, default=800, help="number to train with (default: 800)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    keys = random.split(random.key(options.seed), 4)

    x, y = record(keys[0], options.syllables, VOICES)
    params, history = train(keys[1], x, y, options.epochs)
    print(f"loss: {history[0]:.3f} in the first epoch, {history[-1]:.3f} in the last")
    for name, key, voices in (("new syllables", keys[2], VOICES), ("other voices", keys[3], NEW_VOICES)):
        new_x, new_y = record(key, options.syllables // 2, voices)
        accuracy = np.mean(metrics.accuracy(model(params, new_x), new_y))
        print(f"{name}, from {voices[0]:.0f} to {voices[1]:.0f} Hz: accuracy {accuracy:.3f}")
    if options.plot:
        draw(x, y, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
