"""Pictures with boxes drawn by people: Pascal VOC, COCO and YOLO folders."""

from edgekit.data.annotations.annotated import Annotated, Annotations
from edgekit.data.annotations.opening import looks_annotated, open_annotations

__all__ = ["Annotated", "Annotations", "looks_annotated", "open_annotations"]
