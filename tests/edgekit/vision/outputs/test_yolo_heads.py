"""YOLO maps that were cut before their decoding."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import TargetError
from edgekit.manifest import Manifest
from edgekit.runtime import TensorSpec
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder

SIZE = (64, 96)
CLASSES = 3
GRIDS = {8: (8, 12), 16: (4, 6), 32: (2, 3)}
# At a stride, the cell (row, column), its class, and sides left, top, right, bottom in strides.
OBJECTS = [(8, (3, 5), 2, (1, 2, 3, 0)), (32, (1, 0), 0, (0.5, 1.5, 2, 0.25))]
BOXES = [[44 - 8, 28 - 16, 44 + 24, 28], [16 - 16, 48 - 48, 16 + 64, 48 + 8]]


def maps() -> dict[int, NDArray[np.float32]]:
    rng = np.random.default_rng(2)
    found = {}
    for stride, grid in GRIDS.items():
        values = rng.normal(0, 1, (1, *grid, 64 + CLASSES)).astype(np.float32)
        values[..., 64:] = -8
        found[stride] = values
    for number, (stride, (row, column), kind, sides) in enumerate(OBJECTS):
        cell = found[stride][0, row, column]
        cell[:64] = -50
        for place, side in enumerate(sides):  # a mean of two bins
            low = int(side)
            for each, share in ((low, 1 - side + low), (low + 1, side - low)):
                if share > 0:
                    cell[16 * place + each] = np.log(share)
        cell[64 + kind] = 3 - number
    return found


def outputs(*, split: bool, first: bool) -> dict[str, NDArray[np.float32]]:
    made = {}
    for stride, values in maps().items():
        parts = {"b": values[..., :64], "c": values[..., 64:]} if split else {"y": values}
        for name, each in parts.items():
            made[f"{name}{stride}"] = each.transpose(0, 3, 1, 2) if first else each
    return made


def opened(given: dict[str, NDArray[np.float32]], labels: int = CLASSES) -> Decoder:
    specs = [TensorSpec(name, each.shape, "float32") for name, each in given.items()]
    return open_decoder(specs[::-1], SIZE, labels=labels)


@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
@pytest.mark.parametrize("split", [False, True], ids=["three", "six"])
def test_maps_give_their_boxes(split: bool, first: bool) -> None:
    given = outputs(split=split, first=first)
    decoder = opened(given)
    found = decoder.decode(given)
    np.testing.assert_allclose(found.boxes, BOXES, atol=1e-3)
    assert found.classes.tolist() == [2, 0]
    assert found.scores.tolist() == pytest.approx([1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-2))])
    assert decoder.kind == "yolov8-heads"
    assert decoder.classes == CLASSES
    assert len(decoder.roles) == len(given)
    assert {role.how for role in decoder.roles} == {"shapes"}


def test_maps_are_no_heads_without_as_many_labels() -> None:
    given = outputs(split=False, first=False)
    for labels in (0, 2, 4):
        with pytest.raises(TargetError, match="no outputs of a detector"):
            opened(given, labels)


def test_labels_of_the_file_will_do() -> None:
    given = outputs(split=False, first=False)
    specs = [TensorSpec(name, each.shape, "float32") for name, each in given.items()]
    manifest = Manifest(labels=("a", "b", "c"))
    assert open_decoder(specs, SIZE, manifest).kind == "yolov8-heads"


def test_a_map_too_many_is_refused() -> None:
    given = outputs(split=False, first=False) | {"mask": np.zeros((1, 16, 24, 32), np.float32)}
    with pytest.raises(TargetError):
        opened(given)
