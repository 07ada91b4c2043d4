"""Small Keras 3 models, one for each family that edgekit takes to int8, and inputs for them.

Deep picture nets are trained until they know their task, the others have random weights. A
deep net with random or hardly trained weights amplifies every difference from layer to layer:
it turns the rounding of its inputs alone into another answer, and what int8 makes of such a
net says nothing. Trained nets give logits, since probabilities near 0 and 1 would hide noise.

Nothing is dead: for random weights the statistics of BatchNormalization come from the inputs,
and the last layer is scaled so that its outputs differ from sample to sample.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS, FEATURES, WORDS = 16, 8, 50
_WARM = 32  # samples that set the statistics
_TRAINING, _BATCH, _PLACES = 4096, 64, 4  # samples to train on, and places of the bright spot
_GRAIN = 0.05  # deviation of the noise in pictures
_SPREAD = 1.5  # deviation of the last layer's sums from sample to sample


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: As it stands in the table.
        build: Makes the model.
        shape: Shape of one sample.
        kind: What the inputs are: `pictures` (0..1), `pixels` (0..255), `signals` or `words`.
        least_db: Output SQNR that int8 must have.
        shortfall: Why int8 has less than that, in words; '' if it has not.
        epochs: How long it is trained to tell where the bright spot lies; 0 for random
            weights.
        classes: What it is to tell: 4 for the quarter of the picture, 2 for its half, upper
            or lower.
        quick: Whether its test is one of the quick ones.
        long: Whether its training takes minutes; MobileNetV1 stands for them in CI.
    """

    name: str
    build: Callable[[Any], Any]
    shape: tuple[int, ...]
    kind: str = "signals"
    least_db: float = 25.0
    shortfall: str = ""
    epochs: int = 0
    classes: int = _PLACES
    quick: bool = False
    long: bool = False


def inputs(family: Family, count: int, seed: int) -> NDArray[Any]:
    """Draw inputs: smooth pictures, smooth signals, or words."""
    return _drawn(family, count, seed)[0]


def _drawn(family: Family, count: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw inputs and a class for each; in pictures it is where a bright spot lies."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, _PLACES, count)
    if family.kind == "words":
        return rng.integers(1, WORDS, (count, *family.shape)).astype(np.int32), y
    x = rng.standard_normal((count, *family.shape))
    for axis in range(1, x.ndim - 1):
        x = (x + np.roll(x, 1, axis) + np.roll(x, 2, axis)) / np.sqrt(3)
    if family.kind in {"pictures", "pixels"}:
        half = family.shape[0] // 2
        x = 0.35 + 0.1 * x + _GRAIN * rng.standard_normal(x.shape)
        for picture, place in zip(x, y, strict=True):
            top, left = half * (place // 2), half * (place % 2)
            picture[top : top + half, left : left + half] += 0.3
        x = np.clip(x, 0, 1) * (255 if family.kind == "pixels" else 1)
    return x.astype(np.float32), y


def make(family: Family, path: Path) -> Any:
    """Build a lively model and save it.

    Args:
        family: Which one.
        path: The .keras file to write.

    Returns:
        The model.
    """
    import keras

    if family.epochs:
        shutil.copyfile(_trained(keras, family), path)
        return keras.models.load_model(path, compile=False)
    keras.utils.set_random_seed(7)
    model = family.build(keras)
    x = inputs(family, _WARM, seed=1)
    _set_statistics(keras, model, x)
    _scale_last(keras, model, x)
    model.save(path)
    return model


def _trained(keras: Any, family: Family) -> Path:
    """Train a family's model, once, and return where it stands."""
    made_by = f"{keras.__version__} {Path(__file__).read_text(encoding='utf-8')}"
    digest = hashlib.sha256(made_by.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "edgekit" / "families" / f"{family.name}-{digest}.keras"
    if not path.exists():
        keras.utils.set_random_seed(7)
        model = family.build(keras)
        _train(keras, model, family)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{os.getpid()}.keras")
        model.save(half)
        half.replace(path)
    return path


def _train(keras: Any, model: Any, family: Family) -> None:
    """Train a model to tell where the bright spot lies."""
    for each in _layers(model):
        if isinstance(each, keras.layers.BatchNormalization):
            each.momentum = 0.9  # the statistics have few steps to settle
    x, places = _drawn(family, _TRAINING, seed=3)
    y = places * family.classes // _PLACES
    steps = family.epochs * _TRAINING // _BATCH
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Compiling ahead takes longer than these few steps do.
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    model.fit(x, y, epochs=family.epochs, batch_size=_BATCH, verbose=0)


def _set_statistics(keras: Any, model: Any, x: NDArray[Any]) -> None:
    """Set the statistics of BatchNormalization to those of a batch."""
    layers = list(_layers(model))
    norms = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
    if not norms:
        return
    before = [(each.trainable, each.momentum) for each in norms]
    for each in norms:
        each.trainable, each.momentum = True, 0.0
    model(x, training=True)
    for each, (trainable, momentum) in zip(norms, before, strict=True):
        each.trainable, each.momentum = trainable, momentum


def _scale_last(keras: Any, model: Any, x: NDArray[Any]) -> None:
    """Scale the last layer with weights so that outputs differ from sample to sample."""
    last = [each for each in model.layers if hasattr(each, "kernel")][-1]
    activation, last.activation = last.activation, keras.activations.linear
    spread = np.std(
        np.asarray(keras.Model(model.inputs[0], last(last.input))(x)), axis=0
    ).mean()
    last.activation = activation
    kernel, *rest = last.get_weights()
    last.set_weights([kernel * (_SPREAD / max(float(spread), 1e-6)), *rest])


def _layers(model: Any) -> Any:
    for each in model.layers:
        if hasattr(each, "layers"):
            yield from _layers(each)
        else:
            yield each


def _dense(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(32, "relu"),
            layers.Dense(32, "relu"),
            layers.Dense(4, "softmax"),
        ]
    )


def _cnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, "softmax"),
        ]
    )


def _residual(keras: Any) -> Any:
    layers = keras.layers
    given = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(given)
    for stride in (1, 2):
        short = x if stride == 1 else layers.Conv2D(16, 1, strides=2)(x)
        y = layers.Conv2D(16, 3, strides=stride, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2D(16, 3, padding="same", use_bias=False)(y)
        x = layers.ReLU()(layers.Add()([short, layers.BatchNormalization()(y)]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(4, "softmax")(x))


def _conv1d(keras: Any) -> Any:
    layers = keras.layers
    given = keras.Input((STEPS, FEATURES))
    x = layers.Conv1D(16, 3, padding="causal", activation="relu")(given)
    x = layers.Conv1D(16, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    x = layers.Conv1D(16, 3, padding="same", dilation_rate=4, activation="relu")(x)
    x = layers.DepthwiseConv1D(3, padding="same")(x)
    x = layers.GlobalMaxPooling1D()(x)
    return keras.Model(given, layers.Dense(4, "softmax")(x))


def _application(name: str, **wishes: Any) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        module = keras.applications
        return getattr(module, name)(
            weights=None,
            input_shape=(32, 32, 3),
            classes=_PLACES,
            classifier_activation=None,
            **wishes,
        )

    return build


def _unet(keras: Any) -> Any:
    layers = keras.layers
    given = keras.Input((16, 16, 3))
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(given)
    b = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    c = layers.SeparableConv2D(16, 3, padding="same", activation="swish")(
        layers.AveragePooling2D(2)(b)
    )
    x = layers.Concatenate()([layers.UpSampling2D()(c), b])
    x = layers.PReLU(shared_axes=(1, 2))(layers.Conv2D(16, 3, padding="same")(x))
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Concatenate()([x, a]))
    return keras.Model(given, layers.Conv2D(2, 1, activation="sigmoid")(x))


def _autoencoder(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(32, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(8, "relu"),
            layers.Dense(32, "relu"),
            layers.Dense(64, "linear"),
        ]
    )


def _generator(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(4 * 4 * 16, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Reshape((4, 4, 16)),
            layers.Conv2DTranspose(8, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh"),
        ]
    )


def _recurrent(*kinds: str, two_way: bool = False, **wishes: Any) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        layers = keras.layers
        x = given = keras.Input((STEPS, FEATURES))
        for place, kind in enumerate(kinds):
            more = {"return_sequences": place + 1 < len(kinds), **wishes}
            layer = getattr(layers, kind)(16, **more)
            x = (layers.Bidirectional(layer) if two_way else layer)(x)
        return keras.Model(given, layers.Dense(4, "softmax")(x))

    return build


def _text(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            layers.Embedding(WORDS, 16, embeddings_initializer="normal"),
            layers.LSTM(16),
            layers.Dense(2, "softmax"),
        ]
    )


def _transformer(*, causal: bool) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        layers, ops = keras.layers, keras.ops
        spread = keras.initializers.RandomNormal(stddev=0.5)
        given = keras.Input((STEPS,), dtype="int32")
        words = layers.Embedding(WORDS, 32, embeddings_initializer=spread)(given)
        places = layers.Embedding(STEPS, 32, embeddings_initializer=spread)(ops.arange(STEPS))
        x = words + places
        for _ in range(2):
            y = layers.LayerNormalization()(x) if causal else x
            y = layers.MultiHeadAttention(4, 8)(y, y, use_causal_mask=causal)
            x = x + y if causal else layers.LayerNormalization()(x + y)
            y = layers.LayerNormalization()(x) if causal else x
            y = layers.Dense(32)(layers.Dense(64, "gelu")(y))
            x = x + y if causal else layers.LayerNormalization()(x + y)
        if causal:
            x = layers.LayerNormalization()(x)
            return keras.Model(given, layers.Dense(WORDS, "linear")(x))
        x = layers.GlobalAveragePooling1D()(x)
        return keras.Model(given, layers.Dense(4, "softmax")(x))

    return build


def _transfer(keras: Any) -> Any:
    layers = keras.layers
    taught = keras.models.load_model(_trained(keras, _MOBILENET_V2), compile=False)
    base = keras.Model(taught.inputs, taught.get_layer("out_relu").output, name="backbone")
    base.trainable = False
    given = keras.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal")(given)
    x = layers.RandomRotation(0.05)(x)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    head = layers.Dense(2, kernel_initializer="zeros")  # features that say nothing stay out
    return keras.Model(given, head(layers.Dropout(0.2)(x)))


_PICTURE, _SIGNAL = (16, 16, 3), (STEPS, FEATURES)
_BIAS: dict[str, Any] = {"bias_initializer": "random_normal"}  # trained ones are not zero
_MOBILENET_V2 = Family(
    "MobileNetV2",
    _application("MobileNetV2", alpha=0.35),
    (32, 32, 3),
    "pictures",
    epochs=4,
    long=True,
)
FAMILIES = (
    Family("Dense", _dense, (FEATURES,), quick=True),
    Family("CNN", _cnn, _PICTURE, "pictures"),
    Family("CNN with residuals", _residual, _PICTURE, "pictures"),
    Family("dilated and causal Conv1D", _conv1d, _SIGNAL),
    Family(
        "MobileNetV1",
        _application("MobileNet", alpha=0.25),
        (32, 32, 3),
        "pictures",
        epochs=4,
    ),
    _MOBILENET_V2,
    Family(
        "MobileNetV3 small",
        _application("MobileNetV3Small", include_preprocessing=False),
        (32, 32, 3),
        "pictures",
        epochs=4,
        long=True,
    ),
    Family(
        "EfficientNet-B0",
        _application("EfficientNetB0"),
        (32, 32, 3),
        "pixels",
        shortfall="no layer stands out, the rounding of 81 convolutions adds up",
        epochs=3,
        long=True,
    ),
    Family("U-Net", _unet, _PICTURE, "pictures"),
    Family("autoencoder", _autoencoder, (64,)),
    Family("GAN generator", _generator, (16,)),
    Family("SimpleRNN", _recurrent("SimpleRNN"), _SIGNAL),
    Family("LSTM", _recurrent("LSTM"), _SIGNAL),
    Family("stacked LSTM", _recurrent("LSTM", "LSTM"), _SIGNAL),
    Family("GRU", _recurrent("GRU", **_BIAS), _SIGNAL),
    Family("GRU, reset before", _recurrent("GRU", reset_after=False, **_BIAS), _SIGNAL),
    Family("bidirectional LSTM", _recurrent("LSTM", two_way=True), _SIGNAL, quick=True),
    Family("stacked bidirectional LSTM", _recurrent("LSTM", "LSTM", two_way=True), _SIGNAL),
    Family("bidirectional GRU", _recurrent("GRU", two_way=True, **_BIAS), _SIGNAL),
    Family("embedding + LSTM text classifier", _text, (STEPS,), "words"),
    Family(
        "Transformer encoder (BERT-like)",
        _transformer(causal=False),
        (STEPS,),
        "words",
        quick=True,
    ),
    Family("causal decoder (GPT-like)", _transformer(causal=True), (STEPS,), "words"),
    Family(
        "transfer learning, frozen backbone",
        _transfer,
        (32, 32, 3),
        "pixels",
        epochs=2,
        classes=2,
        long=True,
    ),
)
