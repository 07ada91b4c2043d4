"""The fixed-point front end computes the integers of micro_speech's preprocessor."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from edgekit.data.frontend import FrontEnd, Stream, extract, preset
from edgekit.data.frontend.micro import fixed_bank, fixed_window, gain_table
from edgekit.data.frontend.record import Adaptation
from edgekit.data.sounds import read_sound
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load

MICRO = preset("micro-speech")
MODELS = Path("models/tflite/tflite_micro/examples/micro_speech/models")
CLIPS = Path("keywords/micro_speech")


def integers(clip: Path) -> NDArray[np.int64]:
    """Return a clip's features before they are divided by 25.6."""
    features = extract(read_sound(clip, 16_000), MICRO)
    return np.asarray(np.rint(features * np.float32(25.6)), np.int64)


class Preprocessor:
    """The constants and options of the published preprocessor, by operator."""

    def __init__(self, path: Path) -> None:
        self.graph = Graph(path)
        self.ops = {op.custom_code: op for op in self.graph.ops if op.custom_code}

    def constant(self, op: str, place: int) -> NDArray[np.int64]:
        tensor = self.graph.main.tensors[self.ops[op].inputs[place]]
        return self.graph.constant(tensor).astype(np.int64)

    def options(self, op: str) -> dict[str, int]:
        found: dict[str, int] = flexbuffers.Loads(self.graph.custom_options(self.ops[op]))
        return found

    def bank(self) -> NDArray[np.int64]:
        """Spread the packed weights: each group rises into one band and falls from another."""
        falling, rising, first, start, width = (
            self.constant("SignalFilterBank", place) for place in range(1, 6)
        )
        bank = np.zeros((MICRO.fft_size // 2 + 1, len(first) + 1), np.int64)
        for band, frequency in enumerate(first):
            for each in range(width[band]):
                bank[frequency + each, band] += falling[start[band] + each]
                bank[frequency + each, band + 1] += rising[start[band] + each]
        return bank[:, 1:-1]


@pytest.fixture(scope="module")
def preprocessor(data_dir: Path) -> Preprocessor:
    return Preprocessor(data_dir / MODELS / "audio_preprocessor_int8.tflite")


@pytest.mark.data
def test_the_window_is_that_of_the_preprocessor(preprocessor: Preprocessor) -> None:
    assert (fixed_window(480) == preprocessor.constant("SignalWindow", 1)).all()
    assert preprocessor.options("SignalWindow") == {"shift": 12}


@pytest.mark.data
def test_the_bands_are_those_of_the_preprocessor(preprocessor: Preprocessor) -> None:
    bank = fixed_bank(MICRO)
    assert (bank == preprocessor.bank()).all()
    used = np.flatnonzero(bank.any(axis=1))
    energy = preprocessor.options("SignalEnergy")
    assert energy["start_index"] == used[0]
    assert energy["end_index"] > used[-1]


@pytest.mark.data
def test_the_gain_is_that_of_the_preprocessor(preprocessor: Preprocessor) -> None:
    gain = gain_table(Adaptation(), noise_bits=7)
    published = preprocessor.constant("SignalPCAN", 2)
    assert (published[:2] == gain[0, :2]).all()
    octaves = np.pad(published[2:], (0, 1)).reshape(-1, 4).T
    assert (octaves[:3] == gain[:, 2:]).all()


@pytest.mark.data
def test_the_parameters_are_those_of_the_preprocessor(preprocessor: Preprocessor) -> None:
    assert preprocessor.options("SignalRfft")["fft_length"] == MICRO.fft_size
    assert preprocessor.options("SignalFilterBank") == {"num_channels": MICRO.bins}
    adaptation = Adaptation()
    one = 1 << 14
    even, odd = int(adaptation.even_smoothing * one), int(adaptation.odd_smoothing * one)
    assert preprocessor.options("SignalFilterBankSpectralSubtraction") == {
        "smoothing": even,
        "one_minus_smoothing": one - even,
        "alternate_smoothing": odd,
        "alternate_one_minus_smoothing": one - odd,
        "min_signal_remaining": int(adaptation.least_signal * one),
        "smoothing_bits": 10,
        "spectral_subtraction_bits": 14,
        "clamping": False,
        "num_channels": 40,
    }
    assert preprocessor.options("SignalPCAN") == {"snr_shift": adaptation.gain_bits - 3 - 12}
    assert preprocessor.options("SignalFilterBankLog") == {
        "input_correction_bits": 3,
        "output_scale": 64,
    }


# sha256 of the features that audio_preprocessor_float.tflite gives, times 25.6, as 16-bit
# integers, frame after frame, run by the Python package tflite-micro 0.dev20261023182759.
PUBLISHED = {
    "yes_1000ms.wav": "937f2de85d6d0bd1",
    "no_1000ms.wav": "a328b8e92dfc5e0b",
    "noise_1000ms.wav": "5d7c0e5085782264",
    "silence_1000ms.wav": "cd110ae3bfc38773",
}


@pytest.mark.data
@pytest.mark.parametrize("clip", PUBLISHED)
def test_every_integer_is_that_of_the_preprocessor(clip: str, data_dir: Path) -> None:
    features = integers(data_dir / CLIPS / clip)
    digest = hashlib.sha256(features.astype("<i2").tobytes()).hexdigest()
    assert digest[:16] == PUBLISHED[clip]


@pytest.mark.data
def test_the_first_row_of_yes_is_the_published_one(data_dir: Path) -> None:
    features = integers(data_dir / CLIPS / "yes_1000ms.wav")[0]
    as_int8 = np.clip((256 * features + 333) // 666 - 128, -128, 127)
    assert as_int8[:10].tolist() == [116, 98, 118, 95, 106, 85, 101, 81, 67, -18]


@pytest.mark.data
@pytest.mark.parametrize(
    ("clip", "word"),
    [
        pytest.param("silence_1000ms.wav", "silence", id="silence"),
        pytest.param("noise_1000ms.wav", "silence", id="noise"),
        pytest.param("yes_1000ms.wav", "yes", id="yes"),
        pytest.param("no_1000ms.wav", "no", id="no"),
    ],
)
def test_the_published_model_hears_the_word(clip: str, word: str, data_dir: Path) -> None:
    model = load(data_dir / MODELS / "micro_speech_quantized.tflite", threads=1, probe=False)
    features = extract(read_sound(data_dir / CLIPS / clip, 16_000), MICRO)
    scores = model(features.reshape(model.inputs[0].shape))
    assert ("silence", "unknown", "yes", "no")[int(np.asarray(scores).argmax())] == word


def tone(seconds: float, amplitude: float) -> NDArray[np.float32]:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (amplitude * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)


def test_steady_sound_is_taken_off_as_noise() -> None:
    rows = extract(tone(4, 0.3), MICRO)
    band = rows[0].argmax()
    assert rows[-1, band] < rows[0, band] - 5


def test_features_are_whole_numbers_before_their_scale() -> None:
    rows = extract(tone(1, 0.3), MICRO) * np.float32(25.6)
    np.testing.assert_allclose(rows, np.rint(rows), atol=1e-3)


def test_silence_is_zero() -> None:
    assert not extract(np.zeros(16_000, np.float32), MICRO).any()


@pytest.mark.parametrize("amplitude", [1.0, 1.5, 100.0])
def test_clipped_sound_is_cut_at_16_bits(amplitude: float) -> None:
    square = np.sign(tone(1, 1)) * np.float32(amplitude)
    most = np.where(square > 0, np.float32(1), np.float32(-1)) * np.abs(np.sign(square))
    assert extract(square, MICRO).tobytes() == extract(most, MICRO).tobytes()


@pytest.mark.parametrize("fft_size", [64, 128, 1024])
def test_other_sizes_of_the_transform_work(fft_size: int) -> None:
    front_end = FrontEnd(
        kind="micro",
        frame_samples=fft_size,
        step_samples=fft_size // 2,
        fft_size=fft_size,
        bins=8,
        low_hz=125,
        high_hz=7500,
        adaptation=Adaptation(),
    )
    rows = extract(tone(1, 0.3), front_end)
    assert rows.shape == (front_end.count(16_000), 8)
    assert rows.max() > 0


def test_noise_is_remembered_over_pieces_and_forgotten_at_a_reset() -> None:
    stream = Stream(MICRO)
    first, second = stream.push(tone(1, 0.3)), stream.push(tone(1, 0.3))
    band = first[0].argmax()
    assert second[5, band] < first[5, band]
    stream.reset()
    assert stream.push(tone(1, 0.3)).tobytes() == first.tobytes()
