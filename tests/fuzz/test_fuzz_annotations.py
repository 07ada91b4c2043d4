"""Annotations of strangers: whatever stands in them, the answer is data or one clear error."""

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.data.annotations import open_annotations
from edgekit.errors import EdgekitError

PICTURE = b"P6 6 4 255\n" + bytes(72)
XML = (
    "<annotation><filename>p.ppm</filename><size><width>6</width><height>4</height></size>"
    "<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>"
    "<xmax>4</xmax><ymax>3</ymax></bndbox></object></annotation>"
)
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "p.ppm", "width": 6, "height": 4}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 2]}],
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def opens(files: dict[str, bytes]) -> None:
    """Write a folder and open it; nothing but a clear error may come out."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with contextlib.suppress(EdgekitError):
            found = open_annotations(folder)
            assert all(len(item.boxes) == len(item.classes) for item in found.items)


@settings(max_examples=300)
@given(start=st.integers(0, len(XML)), gone=st.integers(0, 30), put=st.binary(max_size=12))
def test_any_change_of_an_xml_file(start: int, gone: int, put: bytes) -> None:
    content = XML.encode()
    opens({"p.ppm": PICTURE, "p.xml": content[:start] + put + content[start + gone :]})


@settings(max_examples=300)
@given(
    key=st.sampled_from(list(COCO)),
    field=st.sampled_from(
        ["id", "file_name", "width", "height", "name", "image_id", "category_id", "bbox"]
    ),
    value=values,
)
def test_any_value_in_a_coco_file(key: str, field: str, value: Any) -> None:
    record = json.loads(json.dumps(COCO))
    record[key][0][field] = value
    opens({"p.ppm": PICTURE, "annotations.json": json.dumps(record).encode()})
    record[key] = value
    opens({"p.ppm": PICTURE, "annotations.json": json.dumps(record).encode()})


@settings(max_examples=100)
@given(
    line=st.text("0123456789.-+enaif \t\n", max_size=40) | st.text(max_size=20),
    names=st.binary(max_size=20),
)
def test_any_text_in_a_yolo_folder(line: str, names: bytes) -> None:
    lines = line.encode(errors="replace")
    opens({"images/p.ppm": PICTURE, "labels/p.txt": lines, "classes.txt": b"cat\ndog"})
    fine = b"0 .5 .5 .2 .2"
    opens({"images/p.ppm": PICTURE, "labels/p.txt": fine, "data.yaml": b"names: " + names})
    opens({"images/p.ppm": PICTURE, "labels/p.txt": fine, "classes.txt": names})
