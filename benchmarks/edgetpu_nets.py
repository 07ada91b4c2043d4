"""Nets whose fate in the Edge TPU's compiler is published, built as Keras 3 models.

Weights are random: where operators run depends on their kinds and sizes. Heads of detectors
end before boxes are decoded, unless a log is about more.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from edgekit_converters.sources.libraries import keras

Tensor = Any


def _layers() -> Any:
    return keras().layers


def _conv(
    x: Tensor,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    act: str | None = "relu6",
    *,
    symmetric: bool = False,
) -> Tensor:
    """Convolution with BatchNormalization."""
    x, padding = _padded(x, kernel, stride, symmetric=symmetric)
    x = _layers().Conv2D(channels, kernel, stride, padding=padding, use_bias=False)(x)
    return _act(_layers().BatchNormalization()(x), act)


def _depthwise(
    x: Tensor,
    kernel: int = 3,
    stride: int = 1,
    act: str | None = "relu6",
    *,
    symmetric: bool = False,
) -> Tensor:
    x, padding = _padded(x, kernel, stride, symmetric=symmetric)
    x = _layers().DepthwiseConv2D(kernel, stride, padding=padding, use_bias=False)(x)
    return _act(_layers().BatchNormalization()(x), act)


def _padded(x: Tensor, kernel: int, stride: int, *, symmetric: bool) -> tuple[Tensor, str]:
    """Pad as PyTorch does, where that is another padding: an operator of its own."""
    if symmetric and stride > 1:
        return _layers().ZeroPadding2D(kernel // 2)(x), "valid"
    return x, "same"


def _act(x: Tensor, name: str | None) -> Tensor:
    return _layers().Activation(name)(x) if name else x


def _nearest(x: Tensor, size: Sequence[int]) -> Tensor:
    return keras().ops.image.resize(x, tuple(size), interpolation="nearest")


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[1], x.shape[2]


def _input(height: int, width: int | None = None) -> Tensor:
    return _layers().Input((height, width or height, 3), name="image")


# EfficientNet-Lite and EfficientDet-Lite: repeats, kernel, stride, expansion, channels.
_LITE = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _rounded(channels: float) -> int:
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def _inverted(x: Tensor, kernel: int, stride: int, expansion: int, channels: int) -> Tensor:
    """MBConv without squeeze and excitation."""
    y = _conv(x, x.shape[-1] * expansion) if expansion > 1 else x
    y = _conv(_depthwise(y, kernel, stride), channels, act=None)
    same = stride == 1 and x.shape[-1] == channels
    return _layers().Add()([x, y]) if same else y


def _lite_features(image: Tensor, width: float, depth: float) -> list[Tensor]:
    """EfficientNet-Lite; returns what stands at strides 8, 16 and 32."""
    x = _conv(image, 32, 3, 2)
    found = []
    for place, (repeats, kernel, stride, expansion, channels) in enumerate(_LITE):
        ends = place in {0, len(_LITE) - 1}
        for turn in range(repeats if ends else math.ceil(repeats * depth)):
            step = stride if turn == 0 else 1
            x = _inverted(x, kernel, step, expansion, _rounded(channels * width))
        if place in {2, 4, 6}:
            found.append(x)
    return found


def efficientnet_lite0() -> Any:
    """EfficientNet-Lite0 at 224 pixels."""
    image = _input(224)
    x = _conv(_lite_features(image, 1.0, 1.0)[-1], 1280)
    x = _layers().GlobalAveragePooling2D()(x)
    return keras().Model(image, _layers().Dense(1000)(x))


def _separable(x: Tensor, channels: int, act: str | None = None) -> Tensor:
    x = _layers().DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = _layers().Conv2D(channels, 1)(x)
    return _act(_layers().BatchNormalization()(x), act)


def _pool(x: Tensor) -> Tensor:
    return _layers().MaxPooling2D(3, 2, padding="same")(x)


def _fused(parts: Sequence[Tensor], channels: int) -> Tensor:
    x = functools.reduce(lambda a, b: _layers().Add()([a, b]), parts)
    return _separable(_act(x, "relu6"), channels)


def _bifpn(levels: list[Tensor], channels: int) -> list[Tensor]:
    """One cell: down from coarse to fine, and up again."""

    def side(x: Tensor) -> Tensor:
        return x if x.shape[-1] == channels else _conv(x, channels, act=None)

    down = [levels[-1]]
    for x in reversed(levels[:-1]):
        down.insert(0, _fused([side(x), _nearest(down[0], _size(x))], channels))
    up = [down[0]]
    for x, middle in zip(levels[1:-1], down[1:-1], strict=True):
        up.append(_fused([side(x), middle, _pool(up[-1])], channels))
    return [*up, _fused([levels[-1], _pool(up[-1])], channels)]


def efficientdet_lite(
    number: int, size: int, classes: int = 90, *, joined: bool = False
) -> Callable[[], Any]:
    """EfficientDet-Lite0, 1 or 2.

    Args:
        number: Which one.
        size: Pixels a side.
        classes: That it tells apart.
        joined: Whether it ends in one tensor of scores and one of boxes.
    """
    width, depth, channels, cells = (
        (1.0, 1.0, 64, 3),
        (1.0, 1.1, 88, 4),
        (1.1, 1.2, 112, 5),
    )[number]

    def build() -> Any:
        image = _input(size)
        levels = _lite_features(image, width, depth)
        levels.append(_pool(_conv(levels[-1], channels, act=None)))
        levels.append(_pool(levels[-1]))
        for _ in range(cells):
            levels = _bifpn(levels, channels)
        scores = [_detector_head(x, channels, 9 * classes) for x in levels]
        boxes = [_detector_head(x, channels, 9 * 4) for x in levels]
        if not joined:
            return keras().Model(image, [*scores, *boxes])
        rows = [_layers().Reshape((-1, classes))(x) for x in scores]
        corners = [_layers().Reshape((-1, 4))(x) for x in boxes]
        found = _layers().Activation("sigmoid")(_layers().Concatenate(axis=1)(rows))
        return keras().Model(image, [found, _layers().Concatenate(axis=1)(corners)])

    return build


def _detector_head(x: Tensor, channels: int, outputs: int) -> Tensor:
    for _ in range(3):
        x = _separable(x, channels, "relu6")
    x = _layers().DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return _layers().Conv2D(outputs, 1)(x)


# MobileNetV3-large with a narrow tail: kernel, expansion, channels, squeeze, activation,
# stride.
_V3 = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hard_silu", 2),
    (3, 200, 80, False, "hard_silu", 1),
    (3, 184, 80, False, "hard_silu", 1),
    (3, 184, 80, False, "hard_silu", 1),
    (3, 480, 112, True, "hard_silu", 1),
    (3, 672, 112, True, "hard_silu", 1),
    (5, 672, 80, True, "hard_silu", 2),
    (5, 480, 80, True, "hard_silu", 1),
    (5, 480, 80, True, "hard_silu", 1),
)
_TAPPED = 12  # the block whose expansion is the finest feature


def ssdlite_mobilenet_v3() -> Any:
    """SSDLite with MobileNetV3-large at 320 pixels, its heads apart."""
    image = _input(320)
    x = _conv(image, 16, 3, 2, "hard_silu", symmetric=True)
    features = []
    for place, (kernel, expansion, channels, squeeze, act, stride) in enumerate(_V3):
        y = _conv(x, expansion, act=act) if expansion != x.shape[-1] else x
        if place == _TAPPED:
            features.append(y)
        y = _depthwise(y, kernel, stride, act, symmetric=True)
        y = _squeezed(y) if squeeze else y
        y = _conv(y, channels, act=None)
        same = stride == 1 and x.shape[-1] == channels
        x = _layers().Add()([x, y]) if same else y
    features.append(_conv(x, 480, act="hard_silu"))
    for channels in (512, 256, 256, 128):
        y = _conv(features[-1], channels // 2)
        features.append(_conv(_depthwise(y, 3, 2, symmetric=True), channels))
    outputs = [
        _layers().Conv2D(6 * count, 1)(_depthwise(y)) for y in features for count in (91, 4)
    ]
    return keras().Model(image, outputs)


def _squeezed(x: Tensor) -> Tensor:
    """Squeeze and excitation."""
    y = _layers().GlobalAveragePooling2D(keepdims=True)(x)
    y = _layers().Conv2D(_rounded(x.shape[-1] / 4), 1, activation="relu")(y)
    y = _layers().Conv2D(x.shape[-1], 1)(y)
    y = _layers().ReLU(6.0)(y + 3.0) * (1 / 6)
    return _layers().Multiply()([x, y])


def yolo_v5n(height: int, width: int) -> Callable[[], Any]:
    """YOLOv5n for one class, its heads apart."""

    def build() -> Any:
        image = _input(height, width)
        x = _layers().ZeroPadding2D(2)(image)
        x = _silu(_layers().Conv2D(16, 6, 2, use_bias=False)(x))
        fine: list[Tensor] = []
        for channels, turns in ((32, 1), (64, 2), (128, 3), (256, 1)):
            x = _c3(_yolo(x, channels, 3, 2), channels, turns)
            fine.append(x)
        x = _pyramid(x)
        backs = []
        for skip, channels in ((fine[2], 128), (fine[1], 64)):
            x = _yolo(x, channels)
            backs.append(x)
            x = _layers().Concatenate()([_nearest(x, _size(skip)), skip])
            if channels == 128:
                x = _c3(x, 128, 1, short=False)
        found = [_c3(x, 64, 1, short=False)]
        for back, channels in ((backs[1], 128), (backs[0], 256)):
            y = _yolo(found[-1], channels // 2, 3, 2)
            y = _layers().Concatenate()([y, back])
            found.append(_c3(y, channels, 1, short=False))
        return keras().Model(image, [_layers().Conv2D(18, 1)(each) for each in found])

    return build


def _silu(x: Tensor) -> Tensor:
    return _act(_layers().BatchNormalization()(x), "silu")


def _yolo(x: Tensor, channels: int, kernel: int = 1, stride: int = 1) -> Tensor:
    return _conv(x, channels, kernel, stride, "silu", symmetric=True)


def _c3(x: Tensor, channels: int, turns: int, *, short: bool = True) -> Tensor:
    y = _yolo(x, channels // 2)
    for _ in range(turns):
        z = _yolo(_yolo(y, channels // 2), channels // 2, 3)
        y = _layers().Add()([y, z]) if short else z
    return _yolo(_layers().Concatenate()([y, _yolo(x, channels // 2)]), channels)


def _pyramid(x: Tensor) -> Tensor:
    """SPPF."""
    parts = [_yolo(x, x.shape[-1] // 2)]
    for _ in range(3):
        parts.append(_layers().MaxPooling2D(5, 1, padding="same")(parts[-1]))
    return _yolo(_layers().Concatenate()(parts), x.shape[-1])


def yolo_v8s_start() -> Any:
    """YOLOv8s at 640 pixels as far as its first block, where the compiler stops."""
    image = _input(640)
    x = _yolo(_yolo(image, 32, 3, 2), 64, 3, 2)
    x = _yolo(x, 64)
    a, b = x[..., :32], x[..., 32:]
    y = _layers().Add()([b, _yolo(_yolo(b, 32, 3), 32, 3)])
    return keras().Model(image, _yolo(_layers().Concatenate()([a, b, y]), 64))


def yolo_v3_tiny() -> Any:
    """YOLOv3-tiny at 416 pixels with ReLU."""
    image = x = _input(416)
    for channels in (16, 32, 64, 128):
        x = _layers().MaxPooling2D()(_conv(x, channels, 3, act="relu"))
    fine = _conv(x, 256, 3, act="relu")
    x = _conv(_layers().MaxPooling2D()(fine), 512, 3, act="relu")
    x = _layers().MaxPooling2D(2, 1, padding="same")(x)
    x = middle = _conv(_conv(x, 1024, 3, act="relu"), 256, act="relu")
    coarse = _layers().Conv2D(255, 1)(_conv(x, 512, 3, act="relu"))
    x = _nearest(_conv(middle, 128, act="relu"), _size(fine))
    x = _conv(_layers().Concatenate()([x, fine]), 256, 3, act="relu")
    return keras().Model(image, [coarse, _layers().Conv2D(255, 1)(x)])


def squeezenet() -> Any:
    """SqueezeNet 1.1 at 224 pixels."""
    image = _input(224)
    x = _layers().Conv2D(64, 3, 2, activation="relu")(image)
    for place, (squeeze, expand) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        if place in {0, 2, 4}:
            x = _layers().MaxPooling2D(3, 2)(x)
        x = _layers().Conv2D(squeeze, 1, activation="relu")(x)
        sides = [
            _layers().Conv2D(expand, kernel, padding="same", activation="relu")(x)
            for kernel in (1, 3)
        ]
        x = _layers().Concatenate()(sides)
    x = _layers().Conv2D(1000, 1, activation="relu")(x)
    return keras().Model(image, _layers().GlobalAveragePooling2D()(x))


def mnasnet() -> Any:
    """MnasNet 1.0 at 224 pixels."""
    image = _input(224)
    x = _conv(_depthwise(_conv(image, 32, 3, 2, "relu"), act="relu"), 16, act=None)
    for kernel, stride, expansion, repeats, channels in (
        (3, 2, 3, 3, 24),
        (5, 2, 3, 3, 40),
        (5, 2, 6, 3, 80),
        (3, 1, 6, 2, 96),
        (5, 2, 6, 4, 192),
        (3, 1, 6, 1, 320),
    ):
        for turn in range(repeats):
            x = _inverted(x, kernel, stride if turn == 0 else 1, expansion, channels)
    x = _layers().GlobalAveragePooling2D()(_conv(x, 1280, act="relu"))
    return keras().Model(image, _layers().Dense(1000)(x))


def application(name: str, **wishes: Any) -> Callable[[], Any]:
    """A net of keras.applications, as it comes."""

    def build() -> Any:
        return getattr(keras().applications, name)(weights=None, **wishes)

    return build


NETS: dict[str, Callable[[], Any]] = {
    "efficientdet_lite0": efficientdet_lite(0, 320, classes=5, joined=True),
    "efficientdet_lite1": efficientdet_lite(1, 384),
    "efficientdet_lite2": efficientdet_lite(2, 448),
    "efficientnet_lite0": efficientnet_lite0,
    "mnasnet": mnasnet,
    "mobilenet_v2": application("MobileNetV2"),
    "resnet50": application("ResNet50"),
    "squeezenet": squeezenet,
    "ssdlite_mobilenet_v3": ssdlite_mobilenet_v3,
    "yolo_v3_tiny": yolo_v3_tiny,
    "yolo_v5n_480": yolo_v5n(480, 640),
    "yolo_v5n_640": yolo_v5n(640, 640),
    "yolo_v8s_start": yolo_v8s_start,
}
# Of these no log is known: what is answered is all that can be told.
UNTOLD: dict[str, Callable[[], Any]] = {
    "densenet121": application("DenseNet121"),
    "efficientnet_b0": application("EfficientNetB0"),
    "mobilenet_v3_small": application("MobileNetV3Small", input_shape=(224, 224, 3)),
    "mobilenet_v3_large": application("MobileNetV3Large", input_shape=(224, 224, 3)),
    "nasnet_mobile": application("NASNetMobile"),
    "xception": application("Xception"),
}
