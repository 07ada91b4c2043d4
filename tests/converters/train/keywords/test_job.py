"""`edgekit train keywords`, from recordings to a file that says what it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.artifact import read_manifest
from edgekit.audio.decisions import load_settings
from edgekit.data.frontend import load_front_end
from edgekit.errors import DataError, UnknownName, UsageError
from edgekit_converters.train.command import train_file
from edgekit_converters.train.keywords.request import KeywordRequest

soundfile = pytest.importorskip("soundfile")
job = pytest.importorskip("edgekit_converters.train.keywords.job")
pytestmark = pytest.mark.tf

RATE = 8000
EACH = 16
PITCHES = {"rise": (500, 2500), "fall": (2500, 500)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write glides that rise or fall, named after four speakers."""
    root = tmp_path_factory.mktemp("said") / "glides"
    root.mkdir()
    rng = np.random.default_rng(0)
    t = np.arange(round(0.5 * RATE)) / RATE
    for word, (first, last) in PITCHES.items():
        for number in range(EACH):
            pitch = np.linspace(first, last, t.size) * rng.uniform(0.9, 1.1)
            glide = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
            wave = rng.normal(0, 1e-3, 2 * RATE)
            start = int(rng.integers(RATE))
            wave[start : start + t.size] += glide
            speaker = ("anna", "bert", "cleo", "dora")[number % 4]
            soundfile.write(root / f"{word}_{speaker}_{number}.wav", wave, RATE)
    return root


def request(data: Path, **rest: Any) -> KeywordRequest:
    usual = {"batch": 16, "synthesis": False, "epochs": 2}
    return KeywordRequest(data=str(data), **{**usual, **rest})


@pytest.mark.slow
def test_recordings_become_a_model_that_says_what_it_is(data: Path, tmp_path: Path) -> None:
    made = train_file(request(data, epochs=60), tmp_path / "glides.keras")
    assert made.labels == ("_silence_", "_unknown_", "fall", "rise")
    assert made.trained_on == 24
    assert len({name.split("_")[1] for name in made.held_out}) == 1
    assert made.value is not None
    assert made.value >= 0.75
    manifest = read_manifest(tmp_path / "glides.keras")
    assert manifest is not None
    assert (manifest.task, manifest.labels) == ("keywords", made.labels)
    front_end = load_front_end(manifest.front_end or {})
    assert (front_end.sample_rate_hz, front_end.frames) == (RATE, 64)
    settings = load_settings(manifest.decoding)
    assert set(settings.thresholds) == {"fall", "rise"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["glides.keras"]


def test_a_class_that_was_shown_more_often_is_not_favoured() -> None:
    """What says the same of all classes, but for how often they were shown, ends undecided."""
    import keras

    shares = np.array([0.1, 0.6, 0.3], np.float32)
    inputs = keras.Input((2,))
    layer = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.zeros((2, 3)), np.log(shares)])
    job.favour_none(layer, shares)
    np.testing.assert_allclose(model.predict(np.ones((1, 2)), verbose=0), 1 / 3, atol=1e-6)


@pytest.mark.slow
def test_the_streaming_network_comes_with_the_model_of_a_step(
    data: Path, tmp_path: Path
) -> None:
    made = train_file(request(data, network="streaming"), tmp_path / "glides.keras")
    step, typical = (Path(name) for name in made.files)
    assert (step.name, typical.name) == ("glides.step.keras", "glides.step.npz")
    manifest = read_manifest(step)
    assert manifest is not None
    settings = load_settings(manifest.decoding)
    with np.load(typical) as held:
        assert {*settings.states} < {*held}
        assert held["features"].shape[1:] == (settings.every, 40)


def test_an_unknown_network_is_refused_before_anything_is_read(
    data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match="No network named 'vgg'"):
        job.train_keywords(request(data, network="vgg"), tmp_path, tmp_path / "none")


def test_names_of_the_background_are_no_words(data: Path, tmp_path: Path) -> None:
    wave, rate = soundfile.read(next(data.iterdir()))
    for name in ("_unknown_", "yes"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "1.wav", wave, rate)
    with pytest.raises(UsageError, match="are no words"):
        job._gathered(request(tmp_path))


def test_a_missing_folder_of_noises_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sound"):
        job._gathered(request(data, background=str(tmp_path / "nothing")))


@pytest.mark.parametrize("rate", [8000, 16000, 11025])
def test_windows_are_as_long_at_every_rate(rate: int) -> None:
    front_end = job.at_rate(job.preset("log-mel"), rate)
    assert front_end.samples / rate == pytest.approx(1.29, abs=0.01)


def test_features_have_a_mean_of_0(data: Path) -> None:
    gathered = job._gathered(request(data))
    x, _ = job.Views(gathered.material, 64, 1)(0)
    assert abs(float(x.mean())) < 0.5
    assert 0.5 < float(x.std()) < 2
