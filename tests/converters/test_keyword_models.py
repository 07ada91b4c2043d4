"""A keyword model is converted with sounds; the artifact hears as the model does."""

from pathlib import Path

import numpy as np
import pytest
from tiny_spotters import FRONT_END, LABELS, manifest, silence, tone, weights, write_clips

from edgekit.artifact import read_manifest, write_keras_manifest
from edgekit.audio.spotter import open_spotter
from edgekit.records import to_json
from edgekit_converters.pipeline import convert
from edgekit_converters.recipe import Recipe

pytestmark = pytest.mark.tf


def test_sounds_calibrate_and_judge_a_keyword_model(tmp_path: Path) -> None:
    import keras

    rows = keras.Input((FRONT_END.frames, FRONT_END.features, 1), name="rows")
    flat = keras.layers.Flatten()(rows)
    scores = keras.layers.Dense(len(LABELS), activation="softmax", name="scores")
    model = keras.Model(rows, scores(flat))
    matrix, bias = weights()
    scores.set_weights([20 * matrix.T, 20 * bias])
    model.save(tmp_path / "words.keras")
    said = manifest(outputs=())
    write_keras_manifest(tmp_path / "words.keras", said)
    clips = str(write_clips(tmp_path / "clips", each=4))
    recipe = Recipe(
        model=str(tmp_path / "words.keras"),
        targets=("raspberry-pi-4",),
        calibrate=clips,
        evaluate=clips,
        max_drop=1.0,
    )
    (made,) = convert(recipe, tmp_path / "out").artifacts
    assert made.fully_integer
    assert made.float is not None
    assert (made.float.metric, made.float.value) == ("accuracy", 1.0)
    carried = read_manifest(Path(made.path))
    assert carried is not None
    assert (carried.task, carried.labels) == ("keywords", LABELS)
    assert carried.front_end == to_json(FRONT_END)
    assert carried.decoding == said.decoding
    assert carried.preprocessing is None
    spotter = open_spotter(made.path, probe=False)
    heard = spotter.hear(np.concatenate([silence(1), tone("high"), silence(1)]))
    assert [event.keyword for event in heard.events] == ["high"]
