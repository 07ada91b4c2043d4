"""A model with a state is fed clips window by window, each from the beginning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_spotters import FRONT_END, Counter, manifest, write_clips

from edgekit.errors import TargetError
from edgekit.evaluation.models import forward
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import Subject, open_data
from edgekit.evaluation.windows import windowed
from edgekit.manifest import Output

CLIPS = DataRequest(path="clips")


def subject(model: Counter) -> Subject:
    shapes = {spec.name: spec.shape[1:] for spec in model.inputs}
    return Subject(Path("counter.tflite"), model, shapes, "scores")


def test_a_window_is_run_from_the_beginning_each_time() -> None:
    found = windowed(subject(Counter()), CLIPS)
    assert found.shapes == {"features": (20, 8)}
    assert found.classes == 4
    for _ in range(2):
        outputs = forward(found.model, {"features": np.zeros((20, 8), np.float32)})
        np.testing.assert_allclose(outputs["scores"], [[0, 0, 0.2, 0]])


def test_sounds_become_windows(tmp_path: Path) -> None:
    request = DataRequest(path=str(write_clips(tmp_path / "clips", each=1)))
    samples = list(open_data(windowed(subject(Counter()), request), request, labelled=True))
    assert [sample.label for sample in samples] == [0, 3, 2]
    assert {sample.inputs["features"].shape for sample in samples} == {(20, 8)}


def test_arrays_are_fed_as_they_are() -> None:
    counter = subject(Counter())
    assert windowed(counter, replace(CLIPS, path="steps.npz")) is counter


def test_a_model_without_state_stays_as_it_is() -> None:
    model = Counter()
    model.manifest = manifest()
    counter = subject(model)
    assert windowed(counter, CLIPS) is counter


def test_what_the_model_does_not_say_another_may() -> None:
    model = Counter()
    said, model.manifest = model.manifest, None  # type: ignore[assignment] # as of a bare file
    request = replace(CLIPS, front_end=FRONT_END)
    assert windowed(subject(model), request).model is model
    states_too = (Output(name="next"), *said.outputs)
    said = replace(said, outputs=states_too)
    found = windowed(replace(subject(model), scores=None), request, said)
    assert found.scores == "scores"
    assert found.classes == 4


def test_a_manifest_that_names_no_scores_is_refused() -> None:
    model = Counter()
    model.manifest = replace(model.manifest, outputs=(Output(name="next"),))
    with pytest.raises(TargetError, match="which of its outputs holds the scores"):
        windowed(subject(model), CLIPS)


def test_states_of_another_model_are_refused() -> None:
    model = Counter()
    model.manifest = manifest({"every": 2, "states": {"was": "next"}})
    with pytest.raises(TargetError, match="names the state 'was'"):
        windowed(subject(model), CLIPS)
