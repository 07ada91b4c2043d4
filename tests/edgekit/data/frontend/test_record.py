"""A front end is plain JSON, and says of a wrong one what belongs there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.frontend import PRESETS, FrontEnd, load_front_end, preset
from edgekit.data.frontend.record import Adaptation
from edgekit.errors import RecordError, UnknownName
from edgekit.records import to_json


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_goes_through_json_and_back(name: str) -> None:
    written = json.loads(json.dumps(to_json(preset(name))))
    assert load_front_end(written) == preset(name)


@pytest.mark.parametrize(
    ("name", "samples", "features"),
    [
        pytest.param("log-mel", 15_840, 40, id="log-mel"),
        pytest.param("mlperf-tiny", 15_840, 10, id="mlperf-tiny"),
        pytest.param("mlperf-tiny-streaming", 15_872, 40, id="mlperf-tiny-streaming"),
        pytest.param("micro-speech", 15_840, 40, id="micro-speech"),
    ],
)
def test_what_a_preset_takes_and_gives(name: str, samples: int, features: int) -> None:
    assert preset(name).samples == samples
    assert preset(name).features == features
    assert preset(name).count(16_000) == preset(name).frames


@given(
    frame=st.integers(2, 600),
    step=st.integers(1, 600),
    frames=st.integers(1, 200),
    more=st.integers(0, 599),
)
def test_samples_is_the_least_that_gives_so_many_frames(
    frame: int, step: int, frames: int, more: int
) -> None:
    step = min(step, frame)
    front_end = FrontEnd(frame_samples=frame, step_samples=step, fft_size=1024, frames=frames)
    assert front_end.count(front_end.samples) == frames
    assert front_end.count(front_end.samples - 1) == frames - 1
    assert front_end.count(front_end.samples + more % step) == frames


def test_no_frame_fits_into_less_than_a_frame() -> None:
    assert FrontEnd().count(479) == 0
    assert FrontEnd().count(0) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "plp"}, "kind must be one of log-mel, mfcc, micro; found str 'plp'"),
        ({"frame_size": 480}, "unknown frame_size"),
        ({"bins": 40.5}, "bins must be int"),
        ({"sample_rate_hz": 10}, "sample rate of 1000 to 192000 Hz; found 10"),
        ({"high_hz": 9000}, "at 16000 Hz needs .* <= 8000; found 20 and 9000"),
        ({"low_hz": 7600}, "low_hz < high_hz"),
        ({"frame_samples": 513}, "frame_samples <= fft_size <= 65536; found 513 and 512"),
        ({"fft_size": 511}, "even fft_size; found 511"),
        ({"step_samples": 481}, r"frame_samples \(480\) samples; found a step_samples of 481"),
        ({"step_samples": 0}, "found a step_samples of 0"),
        ({"bins": 0}, "1 to 1024 bins; found 0"),
        ({"frames": 0}, "1 to 100000 frames; found 0"),
        ({"kind": "mfcc"}, r"1 to bins \(40\) coefficients; found 0"),
        ({"coefficients": 10}, "kind log-mel has 0 coefficients; found 10"),
        ({"floor": 0}, "floor and std above 0; found 0 and 1"),
        ({"std": -1}, "found 1e-06 and -1"),
        ({"preemphasis": 1}, "preemphasis from 0 to below 1; found 1"),
        ({"limits": [1, 0]}, "limits that go from low to high"),
        ({"limits": [1]}, "a list of 2 values"),
        ({"window": "kaiser"}, "one of hann, hamming"),
        ({"kind": "micro"}, "micro needs an adaptation"),
        ({"adaptation": {}}, "kind log-mel has no adaptation"),
        ({"kind": "micro", "adaptation": {}, "window": "hamming"}, "has window hann"),
        ({"kind": "micro", "adaptation": {}, "fft_size": 480}, "a power of 2, .* found 480"),
        ({"kind": "micro", "adaptation": {"gain_bits": 15}}, "16 to 30 gain_bits; found 15"),
        ({"kind": "micro", "adaptation": {"least_signal": 2}}, "from 0 to 1; found .*, 2,"),
        ({"kind": "micro", "adaptation": {"gain_offset": 0}}, "above 0; found 0"),
    ],
)
def test_a_wrong_front_end_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        load_front_end(values)


@pytest.mark.parametrize("field", ["floor", "mean", "std"])
def test_numbers_are_finite(field: str) -> None:
    values: dict[str, Any] = {field: float("nan")}
    with pytest.raises(RecordError, match="finite"):
        FrontEnd(**values)


def test_shares_of_an_adaptation_are_finite() -> None:
    with pytest.raises(RecordError, match="from 0 to 1; found nan"):
        Adaptation(even_smoothing=float("nan"))


def test_a_preset_that_there_is_not_names_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"No front end named 'mel'. Known: log-mel, mlperf"):
        preset("mel")
