"""Train a keyword model: read, learn a little, find the words again, learn, judge."""

import io
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgekit.artifact import write_keras_manifest
from edgekit.audio.decisions import BACKGROUND, Settings
from edgekit.data.frontend import FrontEnd, extract, preset
from edgekit.errors import UsageError
from edgekit.files import atomic_write
from edgekit.manifest import Manifest, Output
from edgekit.measure import library_versions
from edgekit.records import to_json
from edgekit_converters.train.keywords import recordings
from edgekit_converters.train.keywords.judge import EVERY, Judge
from edgekit_converters.train.keywords.networks import OUTPUT, build, check
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.request import KeywordRequest
from edgekit_converters.train.keywords.sides import divide, divide_others
from edgekit_converters.train.keywords.streaming import step_model, typical_steps
from edgekit_converters.train.keywords.views import (
    Material,
    Place,
    Views,
    locate,
    said_by_few,
    synthetic_share,
)
from edgekit_converters.train.keywords.voices import is_near, spoken
from edgekit_converters.train.loop import Plan, Training
from edgekit_converters.train.request import TrainResult

MODEL = "model.keras"
FRAMES = 64  # rows of 20 ms that a model sees at once
_FIRST = 0.3  # share of the epochs after which words are located again, and mistakes
_SPOKEN_EACH = 500  # recordings of each word by synthesisers, were all its views by them
_SPOKEN_OTHERS = 9000  # and of what is none of the words
_MISTAKEN = 800  # parts of speech that come near to words
_SMOOTHING = 0.1  # surer scores leave thresholds little room above mistakes
_SAMPLED = 4  # batches that the mean of the features is taken from
_TYPICAL = 200  # steps to calibrate a streaming model on
_AVERAGE, _DECAY = 0.998, 1e-2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """Everything that was read, divided.

    Attributes:
        material: What is learned from.
        words: Words that are held out.
        others: Speech without words that is held out, people's and synthetic.
        noises: Noises that are held out.
    """

    material: Material
    words: Sequence[Recording]
    others: Sequence[Recording]
    noises: Sequence[Recording]


def train_keywords(wishes: KeywordRequest, folder: Path, checkpoint: Path) -> TrainResult:
    """Train a keyword model and write it.

    Args:
        wishes: What is asked.
        folder: Gets the model, and for the streaming network the model of a step with
            inputs to calibrate it on.
        checkpoint: File in which a run that was killed goes on.

    Raises:
        DataError: The recordings cannot be used.
        UnknownName: There is no network of that name.
        UsageError: The request makes no sense.
    """
    began = time.perf_counter()
    check(wishes.network)
    data = _gathered(wishes)
    keras.utils.set_random_seed(wishes.seed)
    front_end, labels = data.material.front_end, data.material.labels
    model = build(wishes.network, front_end.frames, front_end.features, len(labels))
    judge = Judge(_compiled(model), labels, front_end)
    data = replace(data, material=_heard(model, judge, data.material, wishes, checkpoint))
    course = _course(model, data.material, wishes, checkpoint=checkpoint)
    epochs = course.run()
    if said_by_few([each.recording for each in data.material.words]):
        shares = Views(data.material, wishes.batch, wishes.seed).shares()
        favour_none(model.get_layer(OUTPUT), shares)
    right = judge.right(data.words)
    settings = _settled(judge, data, wishes)
    files = _write(model, folder, data)
    words = labels[len(BACKGROUND) :]
    result = TrainResult(
        path="",
        metric="accuracy",
        value=float(right.mean()),
        others={},
        per_class={
            word: float(right[[each.label == word for each in data.words]].mean())
            for word in words
        },
        labels=labels,
        epochs=epochs,
        seconds=round(course.before_s + time.perf_counter() - began, 1),
        parameters=model.count_params(),
        trained_on=len(data.material.words),
        held_out=tuple(each.name for each in data.words),
        picture=None,
        files=files,
    )
    manifest = _manifest(front_end, labels, settings, result, wishes)
    write_keras_manifest(folder / MODEL, manifest)
    if files:
        states = step_model(model, EVERY).states
        stepping = replace(manifest, decoding=to_json(replace(settings, states=states)))
        write_keras_manifest(folder / files[0], stepping)
    _heard_file(checkpoint).unlink(missing_ok=True)
    return result


def _compiled(model: Any) -> Callable[[Any], Any]:
    """Return what gives the probabilities of windows, however many, with what was learned."""
    windows = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)

    @tf.function(input_signature=[windows])  # type: ignore[untyped-decorator] # TensorFlow has no types
    def probabilities(windows: Any) -> Any:
        return model(windows, training=False)

    return probabilities  # type: ignore[no-any-return] # TensorFlow has no types


def _gathered(wishes: KeywordRequest) -> _Data:
    """Read everything and divide it."""
    root = Path(wishes.data)
    files = recordings.find_words(root, wishes.words)
    if {*files} & {*BACKGROUND}:
        msg = (
            f"{' and '.join(BACKGROUND)} are no words; name them with --unknown, --background."
        )
        raise UsageError(msg)
    rate = recordings.usual_rate([file for each in files.values() for file in each])
    words, held = divide(recordings.read_words(root, files, rate), wishes.hold_out, wishes.seed)
    others, noises = (
        recordings.read_others(Path(given) if given else None, rate)
        for given in (wishes.unknown, wishes.background)
    )
    voices: list[Recording] = []
    if wishes.synthesis:
        each = round(_SPOKEN_EACH * synthetic_share(words))
        voices = spoken(
            tuple(files), rate, wishes.seed, wishes.language, each=each, others=_SPOKEN_OTHERS
        )
    (others, other_held), (noises, noise_held) = (
        divide_others(each, wishes.hold_out, wishes.seed) if each else ([], [])
        for each in (others, noises)
    )
    cut = round(wishes.hold_out * len(voices))
    voices, voices_held = voices[: len(voices) - cut], voices[len(voices) - cut :]
    front_end = at_rate(preset("log-mel"), rate)
    material = Material(
        labels=(*BACKGROUND, *files),
        words=[locate(each, front_end) for each in words],
        unknown=others,
        background=noises,
        synthetic=voices,
        front_end=front_end,
    )
    return _Data(
        material=replace(material, front_end=_normalised(material, wishes)),
        words=held,
        others=[*other_held, *(each for each in voices_held if not each.label)],
        noises=noise_held,
    )


def at_rate(front_end: FrontEnd, rate: int) -> FrontEnd:
    """Return a front end of `FRAMES` rows with windows as long at another sample rate."""
    share = rate / front_end.sample_rate_hz
    frame = round(front_end.frame_samples * share)
    return replace(
        front_end,
        sample_rate_hz=rate,
        frame_samples=frame,
        step_samples=round(front_end.step_samples * share),
        fft_size=max(64, 1 << (frame - 1).bit_length()),
        high_hz=min(front_end.high_hz, 0.475 * rate),
        frames=FRAMES,
    )


def _normalised(material: Material, wishes: KeywordRequest) -> FrontEnd:
    """Return the front end whose features have a mean of 0 and a deviation of 1."""
    views = Views(material, wishes.batch, wishes.seed)
    rng = np.random.default_rng([wishes.seed, 3])
    plain = replace(material.front_end, mean=0.0, std=1.0)
    rows = np.concatenate(
        [extract(wave, plain) for step in range(_SAMPLED) for wave in views.waves(step, rng)[0]]
    )
    mean, std = round(float(rows.mean()), 2), max(0.1, round(float(rows.std()), 2))
    return replace(plain, mean=mean, std=std)


def _heard(
    model: Any, judge: Judge, material: Material, wishes: KeywordRequest, checkpoint: Path
) -> Material:
    """Learn a little, then find where the words are, and what is taken for them."""
    kept = _heard_file(checkpoint)
    words = material.words
    others = [each for each in material.synthetic if not each.label and not is_near(each)]
    others += material.unknown
    if not kept.exists():
        epochs = max(1, round(_FIRST * wishes.epochs))
        first = replace(wishes, epochs=epochs, seed=wishes.seed + 1)
        _course(model, material, first).run()
        found = [judge.relocated(each) for each in words]
        moved = sum(one != other for one, other in zip(found, words, strict=True))
        _log.info("%d of %d words lie elsewhere than where it is loud.", moved, len(words))
        held = io.BytesIO()
        np.savez(
            held,
            places=np.array([(each.start, each.end) for each in found]),
            mistaken=np.array(judge.mistaken(others, _MISTAKEN)).reshape(-1, 3),
        )
        atomic_write(kept, held.getvalue())
    with np.load(kept) as found_before:
        places, mistaken = (found_before[key].tolist() for key in ("places", "mistaken"))
    return replace(
        material,
        words=[Place(each.recording, *span) for each, span in zip(words, places, strict=True)],
        mistaken=[others[number].wave[start:end] for number, start, end in mistaken],
    )


def _heard_file(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".heard.npz")


def _course(
    model: Any,
    material: Material,
    wishes: KeywordRequest,
    checkpoint: Path | None = None,
) -> Training:
    views = Views(material, wishes.batch, wishes.seed)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=_SMOOTHING)
    return Training(
        model,
        lambda outputs, targets: loss(targets, outputs),
        views,
        Plan(
            epochs=wishes.epochs,
            steps=views.steps,
            rate=wishes.rate,
            decay=_DECAY,
            average=_AVERAGE,
        ),
        checkpoint=checkpoint,
        label=f"Training on {len(material.words)} recordings",
    )


def favour_none(layer: Any, shares: NDArray[np.float32]) -> None:
    """Give scores as if every class were as likely as any other.

    What was shown more often is guessed more often. The shares of training are divided out of
    the probabilities (Saerens et al., Neural Computation 14, 2002): in the logits, a constant.

    Args:
        layer: The dense layer with the softmax; its bias changes.
        shares: Share of each class in training, shape (classes,), each above 0.
    """
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias - np.log(shares * shares.size)])


def _settled(judge: Judge, data: _Data, wishes: KeywordRequest) -> Settings:
    """Choose thresholds."""
    chosen = judge.thresholds(
        data.material, data.others, data.noises, wishes.false_alarms_per_hour, wishes.seed
    )
    rounded = {word: round(value, 4) for word, value in chosen.items()}
    return replace(judge.settings, thresholds=rounded)


def _write(model: Any, folder: Path, data: _Data) -> tuple[str, ...]:
    """Write the model; for the streaming one also that of a step. Return the others' names."""
    model.save(folder / MODEL)
    if not any(layer.name == "stem_conv" for layer in model.layers):
        return ()
    step = step_model(model, EVERY)
    step.model.save(folder / "step.keras")
    sound = np.concatenate([place.recording.wave for place in data.material.words[:60]])
    rows = extract(sound, data.material.front_end)
    typical: dict[str, Any] = {**typical_steps(step, rows, EVERY, _TYPICAL)}
    np.savez(folder / "step.npz", **typical)
    return ("step.keras", "step.npz")


def _manifest(
    front_end: FrontEnd,
    labels: Sequence[str],
    settings: Settings,
    result: TrainResult,
    wishes: KeywordRequest,
) -> Manifest:
    return Manifest(
        name="keywords",
        task="keywords",
        labels=tuple(labels),
        front_end=to_json(front_end),
        outputs=(Output(name=OUTPUT, role="probabilities"),),
        decoding=to_json(settings),
        versions=library_versions(("edgekit", "keras", "tensorflow")),
        evidence={"train": {**to_json(result), "wishes": wishes.told()}},
    )
