"""Find out what the outputs of a detector mean."""

from collections.abc import Callable, Mapping, Sequence

from edgekit.data.scores import Spec
from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest
from edgekit.vision.outputs.blazeface import open_blazeface
from edgekit.vision.outputs.decoder import Decoder, Look
from edgekit.vision.outputs.postprocess import open_postprocess
from edgekit.vision.outputs.ssd import open_ssd
from edgekit.vision.outputs.yolo import open_yolo
from edgekit.vision.outputs.yolo_heads import open_heads

# In the order in which they are asked: from what says itself what it is to what is told by
# shapes alone.
FAMILIES: Mapping[str, Callable[[Look], Decoder | None]] = {
    "ssd": open_ssd,
    "postprocess": open_postprocess,
    "blazeface": open_blazeface,
    "yolo": open_yolo,
    "yolov8-heads": open_heads,
}


def open_decoder(
    outputs: Sequence[Spec],
    size: tuple[int, int],
    manifest: Manifest | None = None,
    *,
    graph: Graph | None = None,
    labels: int = 0,
) -> Decoder:
    """Find out how the outputs of a model become boxes.

    Args:
        outputs: The outputs, in the model's order, with the batch of 1.
        size: Height and width of the model's input.
        manifest: What the model carries.
        graph: The .tflite, which tells more than its outputs do.
        labels: How many labels somebody gave.

    Raises:
        TargetError: These are no outputs of a detector that edgekit reads; the message says
            what was found.
        RecordError: The manifest's decoding is damaged.
    """
    look = Look(outputs=outputs, size=size, manifest=manifest, graph=graph, labels=labels)
    for family in FAMILIES.values():
        found = family(look)
        if found is not None:
            return found
    shapes = "\n".join(f"  {each.name} {list(each.shape)}" for each in outputs)
    msg = (
        f"This model has no outputs of a detector that edgekit reads; found:\n{shapes}\n"
        f"Known families: {', '.join(FAMILIES)}. A model of class scores is run with: "
        "edgekit demo classify, edgekit run"
    )
    raise TargetError(msg)
