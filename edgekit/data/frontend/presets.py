"""Front ends by name: our own default and those of published models."""

import math

from edgekit.data.frontend.record import Adaptation, FrontEnd
from edgekit.errors import UnknownName

_DECIBEL = 10 / math.log(10)  # of a power, a unit of its natural logarithm

PRESETS = {
    # Of speech and noise, recorded near and far, features have about this mean and deviation.
    "log-mel": FrontEnd(mean=-6.0, std=5.0),
    # https://github.com/mlcommons/tiny, benchmark/training/keyword_spotting
    "mlperf-tiny": FrontEnd(
        kind="mfcc",
        coefficients=10,
        low_hz=20.0,
        high_hz=4000.0,
        spectrum="magnitude",
        floor=1e-6,
    ),
    # https://github.com/mlcommons/tiny, benchmark/training/streaming_wakeword:
    # (10 log10(power / 1024) + 52) / 64, limited to [0, 1].
    "mlperf-tiny-streaming": FrontEnd(
        frame_samples=1024,
        step_samples=512,
        fft_size=1024,
        low_hz=0.0,
        high_hz=8000.0,
        preemphasis=1 - 2**-5,
        window="hamming",
        floor=1e-30,
        mean=math.log(1024) - 52 / _DECIBEL,
        std=64 / _DECIBEL,
        limits=(0.0, 1.0),
        frames=30,
    ),
    # https://github.com/tensorflow/tflite-micro, tensorflow/lite/micro/examples/micro_speech:
    # features are divided by 25.6 in training and in the preprocessor that gives float.
    "micro-speech": FrontEnd(
        kind="micro", low_hz=125.0, high_hz=7500.0, adaptation=Adaptation(), std=25.6
    ),
}


def preset(name: str) -> FrontEnd:
    """Return the front end of that name.

    Raises:
        UnknownName: There is none; the message names those there are.
    """
    if name not in PRESETS:
        raise UnknownName(kind="front end", name=name, known=list(PRESETS))
    return PRESETS[name]
