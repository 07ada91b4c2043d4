"""The manifest: what a model carries about itself, one schema for every file format."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from edgekit.errors import RecordError
from edgekit.records import from_json, to_json

SCHEMA = 1
_MAX_DEPTH = 50

Task = Literal["classify", "detect", "keywords", "generic"]
Color = Literal["rgb", "bgr", "gray"]
Resize = Literal["stretch", "crop", "letterbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a model's input: `x = (pixel - mean) / std`.

    Attributes:
        color: Order of the channels that the model expects.
        resize: How a picture gets the model's size: `stretch` (bilinear), `crop` (shorter
            side, then centre) or `letterbox` (centred, padded with 114).
        mean: One value for all channels, or one a channel, in pixel units 0..255.
        std: Same, > 0.
    """

    color: Color = "rgb"
    resize: Resize = "stretch"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in {1, 3}:
            msg = (
                f"mean and std need one value, or three, and equally many; "
                f"found {len(self.mean)} and {len(self.std)}."
            )
            raise RecordError(msg)
        if min(self.std) <= 0:
            msg = f"std must be above 0; found {min(self.std):g}."
            raise RecordError(msg)
        if not all(map(math.isfinite, self.mean + self.std)):
            msg = f"mean and std must be finite numbers; found {self.mean} and {self.std}."
            raise RecordError(msg)

    @classmethod
    def from_range(cls, low: float, high: float, **rest: Any) -> Self:
        """Map pixels 0..255 linearly to [low, high].

        Raises:
            RecordError: low >= high.
        """
        if not low < high:
            msg = f"An input range goes from low to high; found {low:g},{high:g}."
            raise RecordError(msg)
        std = 255.0 / (high - low)
        return cls(mean=(0.0 - low * std,), std=(std,), **rest)

    @property
    def input_range(self) -> tuple[float, float]:
        """The lowest and highest value that a pixel 0..255 can become in any channel."""
        pairs = list(zip(self.mean, self.std, strict=True))
        return min(-m / s for m, s in pairs), max((255.0 - m) / s for m, s in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a person asked for on top of what a model says about its preprocessing.

    Attributes:
        color: As in `Preprocessing`; None leaves what is there, as for all fields.
        resize: As in `Preprocessing`.
        mean: As in `Preprocessing`.
        std: As in `Preprocessing`.
        input_range: Map pixels 0..255 linearly to (low, high), instead of mean and std.
    """

    color: Color | None = None
    resize: Resize | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_range: tuple[float, float] | None = None

    @property
    def scaling(self) -> bool:
        """Whether they say how pixels are scaled."""
        return any(each is not None for each in (self.mean, self.std, self.input_range))

    def on(self, base: Preprocessing) -> Preprocessing:
        """Return `base` with these wishes applied.

        Raises:
            RecordError: The result contradicts itself.
        """
        color, resize = self.color or base.color, self.resize or base.resize
        if self.input_range is not None:
            return Preprocessing.from_range(*self.input_range, color=color, resize=resize)
        mean = base.mean if self.mean is None else self.mean
        std = base.std if self.std is None else self.std
        if self.scaling and len(mean) != len(std):
            mean, std = _spread(mean, std)
        return Preprocessing(color=color, resize=resize, mean=mean, std=std)


def _spread(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Repeat a single value for every channel that the other has values for."""
    count = max(len(mean), len(std))
    return (
        mean * count if len(mean) == 1 else mean,
        std * count if len(std) == 1 else std,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one output of the model means.

    Attributes:
        name: The output tensor's name.
        role: `probabilities`, `logits`, `boxes`, `classes`, `scores`, `count` or `values`.
    """

    name: str
    role: str = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that the model was made from.

    Attributes:
        file: Name of the file or folder, without its path.
        sha256: Digest of its bytes.
        loaded_by: `keras`, `rebuilt from tf_keras`, `tf_keras`, `saved_model` or `tflite`.
    """

    file: str
    sha256: str
    loaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The data that the ranges of the quantized tensors come from.

    Attributes:
        data: Name of the folder or file, without its path.
        samples: How many samples were used.
        seed: Which samples: the seed of the choice.
        digest: sha256 over the samples as they were fed.
    """

    data: str
    samples: int
    seed: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model carries about itself.

    Attributes:
        schema: Version of this schema.
        name: Name of the model.
        task: `classify`, `detect`, `keywords` or `generic`.
        labels: Names of the classes in the order of the outputs; empty where there are none.
        preprocessing: For pictures; None for models that take no pictures.
        front_end: Parameters of the sound front end; None for models that take no sound.
        outputs: Role of each output, by name.
        decoding: Anchors and box coding of a detector, or how the scores of a keyword model
            become words; None elsewhere.
        target: Name of the target profile the artifact was made for.
        scheme: `int8`, `int16x8`, `dynamic`, `float16`, `weight-only` or `float32`.
        source: The file it was made from.
        versions: Versions of the libraries that made it, by package.
        calibration: The data its ranges come from.
        recipe: The options of the run that made it, as in a recipe file.
        evidence: Numbers obtained by running it, by kind, e.g. `verify`.
    """

    schema: int = SCHEMA
    name: str = ""
    task: Task = "generic"
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    front_end: dict[str, Any] | None = None
    outputs: tuple[Output, ...] = ()
    decoding: dict[str, Any] | None = None
    target: str | None = None
    scheme: str | None = None
    source: Source | None = None
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    def dumps(self) -> str:
        """Write the manifest as one line of JSON."""
        return json.dumps(to_json(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def loads(cls, text: str | bytes, where: str) -> Self:
        """Read a manifest.

        Args:
            text: JSON.
            where: What carries it, for messages.

        Raises:
            RecordError: It is not JSON, not a manifest, or of a schema that this edgekit
                does not know.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"The manifest in {where} is not valid JSON: {error}."
            raise RecordError(msg) from error
        found = values.get("schema") if isinstance(values, dict) else None
        if found != SCHEMA:
            msg = (
                f"The manifest in {where} has schema {found!r}; this edgekit reads {SCHEMA}.\n"
                "Was the model written by a later edgekit? Update: pip install -U edgekit"
            )
            raise RecordError(msg)
        _check_depth_and_text(values, where)
        return from_json(cls, values, f"the manifest in {where}")


def _check_depth_and_text(values: Any, where: str) -> None:
    """Refuse what could not be shown or written again: endless nesting, half characters."""
    layer = [values]
    for _ in range(_MAX_DEPTH):
        for text in (each for each in layer if isinstance(each, str)):
            if _half_character(text):
                msg = f"The manifest in {where} holds {text[:20]!r}, which is no valid text."
                raise RecordError(msg)
        layer = [inner for each in layer for inner in _inside(each)]
        if not layer:
            return
    msg = f"The manifest in {where} is nested deeper than {_MAX_DEPTH} levels; is it damaged?"
    raise RecordError(msg)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _half_character(text: str) -> bool:
    """Whether a surrogate stands alone: JSON can write it, UTF-8 cannot."""
    return any("\ud800" <= each <= "\udfff" for each in text)
