"""Pascal VOC, COCO and YOLO say the same, and what is wrong with them is named."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.annotations import Annotations, looks_annotated, open_annotations
from edgekit.data.images import displayed_size
from edgekit.errors import DataError

SIZE = (40, 60)  # height, width
Marks = Sequence[tuple[str, tuple[float, ...]]]
Pictures = Mapping[str, Marks]
# Two pictures: label and corners of each box.
BOXES: Pictures = {
    "train/one": [("cat", (5, 10, 25, 30)), ("dog", (30, 0, 60, 40))],
    "test/two": [("dog", (0, 0, 10, 10))],
}


def write_picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"P6 {size[1]} {size[0]} 255\n".encode() + bytes(size[0] * size[1] * 3))
    return path


def voc_xml(name: str, marks: Marks, extra: str = "") -> str:
    objects = "".join(
        f"<object><name>{label}</name>{extra}<bndbox><xmin>{box[0]}</xmin>"
        f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for label, box in marks
    )
    size = f"<size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>"
    return f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"


def write_voc(root: Path, pictures: Pictures | None = None) -> Path:
    """Write the layout of the original, with lists in ImageSets."""
    (root / "Annotations").mkdir(parents=True)
    for name, marks in (pictures or BOXES).items():
        folder, _, stem = name.rpartition("/")
        write_picture(root / "JPEGImages" / f"{stem}.ppm")
        (root / "Annotations" / f"{stem}.xml").write_text(voc_xml(f"{stem}.ppm", marks))
        if folder:
            listed = root / "ImageSets/Main" / f"{folder}.txt"
            listed.parent.mkdir(parents=True, exist_ok=True)
            listed.write_text(f"{stem}\n")
    return root


def write_voc_folders(root: Path) -> Path:
    """Write one folder for each set, XML beside the pictures."""
    for name, marks in BOXES.items():
        write_picture(root / f"{name}.ppm")
        (root / f"{name}.xml").write_text(voc_xml("another name.ppm", marks))
    return root


def coco_record(pictures: Pictures) -> dict[str, Any]:
    ids = {"dog": 3, "cat": 7, "owl": 9}
    annotations = [
        {
            "id": 10 * number + place,
            "image_id": number,
            "category_id": ids[label],
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "iscrowd": 0,
        }
        for number, marks in enumerate(pictures.values())
        for place, (label, box) in enumerate(marks)
    ]
    images = [
        {"id": number, "file_name": f"{name}.ppm", "height": SIZE[0], "width": SIZE[1]}
        for number, name in enumerate(pictures)
    ]
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, pictures: Pictures | None = None) -> Path:
    for name in pictures or BOXES:
        write_picture(root / f"{name}.ppm")
    (root / "annotations.json").write_text(json.dumps(coco_record(pictures or BOXES)))
    return root


def write_yolo(root: Path, pictures: Pictures | None = None) -> Path:
    names = ["dog", "cat"]
    for name, marks in (pictures or BOXES).items():
        write_picture(root / "images" / f"{name}.ppm")
        lines = root / "labels" / f"{name}.txt"
        lines.parent.mkdir(parents=True, exist_ok=True)
        lines.write_text("".join(yolo_line(names.index(label), box) for label, box in marks))
    (root / "classes.txt").write_text("\n".join(names))
    return root


def yolo_line(number: int, box: tuple[float, ...]) -> str:
    height, width = SIZE
    x, y = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
    return f"{number} {x} {y} {(box[2] - box[0]) / width} {(box[3] - box[1]) / height}\n"


def said(found: Annotations) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    return {
        item.path.stem: [
            (found.labels[number], tuple(box.tolist()))
            for number, box in zip(item.classes, item.boxes.round(3), strict=True)
        ]
        for item in found.items
    }


WRITERS = [
    pytest.param(write_voc, id="voc-with-image-sets"),
    pytest.param(write_voc_folders, id="voc-in-folders"),
    pytest.param(write_coco, id="coco"),
    pytest.param(write_yolo, id="yolo"),
]


@pytest.mark.parametrize("write", WRITERS)
def test_all_formats_say_the_same(write: Callable[[Path], Path], tmp_path: Path) -> None:
    found = open_annotations(write(tmp_path / "pets"))
    assert said(found) == {name.rpartition("/")[2]: marks for name, marks in BOXES.items()}
    assert {item.size for item in found.items} == {SIZE}
    assert found.sets == ("test", "train")
    assert [item.path.stem for item in found.split("test").items] == ["two"]
    assert not found.skipped
    assert found.description.startswith("pets: 2 pictures, 3 boxes")


def test_each_format_orders_its_classes_as_it_says(tmp_path: Path) -> None:
    assert open_annotations(write_voc(tmp_path / "voc")).labels == ("cat", "dog")
    assert open_annotations(write_coco(tmp_path / "coco")).labels == ("dog", "cat", "owl")
    assert open_annotations(write_yolo(tmp_path / "yolo")).labels == ("dog", "cat")


@pytest.mark.parametrize("write", WRITERS)
def test_classes_are_numbered_by_the_labels_of_the_model(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = open_annotations(write(tmp_path / "pets"), ["owl", "dog", "cat"])
    assert said(found)["one"] == BOXES["train/one"]
    assert found.labels == ("owl", "dog", "cat")


@pytest.mark.parametrize("write", WRITERS)
def test_a_class_that_is_no_label_is_named(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"(?s)does not know: dog\b.*labels: cat, dogs.*'dogs'"):
        open_annotations(write(tmp_path / "pets"), ["cat", "dogs"])


BAD_BOXES = [
    pytest.param((5, 5, 5, 20), "has no area", id="no width"),
    pytest.param((20, 5, 10, 20), "has no area", id="upside down"),
    pytest.param((70, 5, 90, 20), "lies outside the picture of 60 x 40", id="outside"),
    pytest.param((-20, -5, -1, 20), "lies outside", id="left of it"),
]


@pytest.mark.parametrize(("box", "why"), BAD_BOXES)
@pytest.mark.parametrize("write", [write_voc, write_coco, write_yolo])
def test_a_box_that_is_none_is_named_and_left_out(
    write: Callable[[Path, Pictures], Path],
    box: tuple[float, ...],
    why: str,
    tmp_path: Path,
) -> None:
    marks: Marks = [("cat", (1, 1, 9, 9)), ("dog", box)]
    found = open_annotations(write(tmp_path / "pets", {"one": marks}))
    assert said(found) == {"one": list(marks[:1])}
    assert len(found.skipped) == 1
    assert "one.ppm: the box" in found.skipped[0]
    assert why in found.skipped[0]


def test_a_box_over_the_edge_is_cut_there_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marks: Marks = [("cat", (-10, 5, 20, 50)), ("dog", (10, 10, 61, 20))]
    found = open_annotations(write_voc(tmp_path / "pets", {"one": marks}))
    assert said(found)["one"] == [("cat", (0, 5, 20, 40)), ("dog", (10, 10, 60, 20))]
    assert "1 boxes reach beyond their picture" in caplog.text


@pytest.mark.parametrize("write", [write_voc, write_coco])
def test_a_missing_picture_is_named_and_too_many_are_refused(
    write: Callable[[Path, Pictures], Path], tmp_path: Path
) -> None:
    pictures = {f"p{i:02}": [("cat", (1.0, 1.0, 9.0, 9.0))] for i in range(40)}
    root = write(tmp_path / "pets", pictures)
    next(root.rglob("p00.ppm")).unlink()
    found = open_annotations(root)
    assert len(found) == 39
    assert "p00.ppm" in found.skipped[0]
    assert "missing" in found.skipped[0]
    for i in (1, 2):
        next(root.rglob(f"p0{i}.ppm")).unlink()
    with pytest.raises(DataError, match=r"3 of 40 annotated pictures .* more than 5%"):
        open_annotations(root)


def test_lines_without_a_picture_are_named(tmp_path: Path) -> None:
    root = write_yolo(
        tmp_path / "pets", {f"p{i:02}": [("cat", (1, 1, 9, 9))] for i in range(30)}
    )
    (root / "images/p03.ppm").unlink()
    found = open_annotations(root)
    assert "p03.txt belongs to no picture" in found.skipped[0]


def test_a_picture_without_lines_shows_nothing(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets")
    write_picture(root / "images/test/empty.ppm")
    found = {item.path.stem: len(item.boxes) for item in open_annotations(root).items}
    assert found == {"empty": 0, "one": 2, "two": 1}


def test_images_and_labels_of_different_sets_are_refused(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets")
    for file in list((root / "images").rglob("*.ppm")):
        file.rename(file.with_stem(f"{file.stem}x"))
    with pytest.raises(DataError, match="are images and labels of one set"):
        open_annotations(root)


def test_a_yolo_class_without_a_name_is_named(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets")
    (root / "labels/test/two.txt").write_text("\n2 .5 .5 .1 .1\n")
    with pytest.raises(DataError, match=r"two\.txt, line 2 has class 2, and there are 2 names"):
        open_annotations(root)


def test_yolo_without_names_takes_the_labels_of_the_model_or_asks(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets")
    (root / "classes.txt").unlink()
    assert said(open_annotations(root, ["dog", "cat"]))["one"] == BOXES["train/one"]
    with pytest.raises(DataError, match=r"has no classes\.txt"):
        open_annotations(root)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("train: a\nnames: ['dog', \"cat\"]\nnc: 2\n", id="list"),
        pytest.param("names:\n  0: dog\n  1: cat\nnc: 2\n", id="numbered lines"),
        pytest.param("names:\n- dog\n- cat\nnc: 2", id="lines"),
        pytest.param("names: {0: dog, 1: cat}\n", id="mapping"),
    ],
)
def test_yolo_names_may_stand_in_a_yaml_file(text: str, tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets")
    (root / "classes.txt").unlink()
    (root / "data.yaml").write_text(text)
    assert open_annotations(root).labels == ("dog", "cat")


def test_a_yolo_polygon_becomes_the_box_around_it(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "pets", {"one": [("dog", (1, 1, 9, 9))]})
    (root / "labels/one.txt").write_text("1 .1 .2 .5 .25 .3 .75\nnonsense\n")
    found = open_annotations(root)
    assert said(found)["one"] == [("cat", (6, 8, 30, 30))]
    assert "line 2 is no 'class x y width height'" in found.skipped[0]


def test_difficult_objects_and_crowds_are_marked(tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", {"one": [("cat", (1, 1, 9, 9))]})
    text = voc_xml("one.ppm", [("dog", (2, 2, 8, 8))], "<difficult>1</difficult>")
    (voc / "Annotations/one.xml").write_text(text)
    assert open_annotations(voc).items[0].difficult.tolist() == [True]
    coco = write_coco(tmp_path / "coco", {"one": [("cat", (1, 1, 9, 9))]})
    record = coco_record({"one": [("cat", (1, 1, 9, 9))]})
    record["annotations"][0]["iscrowd"] = 1
    (coco / "annotations.json").write_text(json.dumps(record))
    assert open_annotations(coco).items[0].crowd.tolist() == [True]


def test_the_size_comes_from_the_picture_where_the_annotation_lacks_it(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "pets", {"one": [("cat", (1, 1, 9, 9))]})
    text = (root / "Annotations/one.xml").read_text()
    (root / "Annotations/one.xml").write_text(text.replace(">60<", ">0<"))
    assert open_annotations(root).items[0].size == SIZE


def test_a_picture_of_another_size_than_annotated_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    root = write_voc(tmp_path / "pets", {"one": [("cat", (1, 1, 9, 9))]})
    (item,) = open_annotations(root).items
    assert item.read().shape == (*SIZE, 3)
    write_picture(root / "JPEGImages/one.ppm", (20, 30))
    with pytest.raises(DataError, match="is 30 x 20, and its boxes were drawn on 60 x 40"):
        item.read()


DAMAGES = [
    pytest.param("images", "no COCO file", id="no images"),
    pytest.param("categories", "no COCO file", id="no categories"),
]


@pytest.mark.parametrize(("key", "why"), DAMAGES)
def test_json_that_is_no_coco_file_is_refused(key: str, why: str, tmp_path: Path) -> None:
    root = write_coco(tmp_path / "pets")
    record = coco_record(BOXES)
    del record[key]
    (root / "annotations.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=why):
        open_annotations(root)


def test_a_category_that_is_not_defined_is_refused(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "pets")
    record = coco_record(BOXES)
    record["annotations"][0]["category_id"] = 5
    (root / "annotations.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="category 5, which is not defined"):
        open_annotations(root)


def test_a_coco_picture_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    write_picture(tmp_path / "secret.ppm")
    root = write_coco(tmp_path / "pets", {f"p{i}": [("cat", (1, 1, 9, 9))] for i in range(25)})
    text = (root / "annotations.json").read_text().replace("p0.ppm", "../secret.ppm")
    (root / "annotations.json").write_text(text)
    assert "secret.ppm, which is missing" in open_annotations(root).skipped[0]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<annotation>", id="cut off"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', id="entities"),
    ],
)
def test_damaged_xml_is_named(content: bytes, tmp_path: Path) -> None:
    pictures = {f"p{i:02}": [("cat", (1.0, 1.0, 9.0, 9.0))] for i in range(30)}
    root = write_voc(tmp_path / "pets", pictures)
    (root / "Annotations/p07.xml").write_bytes(content)
    found = open_annotations(root)
    assert len(found) == 29
    assert "p07.xml" in found.skipped[0]


@pytest.mark.parametrize("write", WRITERS)
def test_annotated_folders_are_known_at_a_glance(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = write(tmp_path / "pets")
    assert looks_annotated(root)
    write_picture(root / "cat/one.ppm")
    write_picture(root / "dog/one.ppm")
    assert not looks_annotated(root)


def test_a_folder_without_annotations_says_what_it_needs(tmp_path: Path) -> None:
    write_picture(tmp_path / "pets/one.ppm")
    with pytest.raises(DataError, match=r"(?s)found 1 \.ppm.*Pascal VOC.*COCO.*YOLO"):
        open_annotations(tmp_path / "pets")
    with pytest.raises(DataError, match="There is no data at"):
        open_annotations(tmp_path / "nothing")


def test_a_choice_of_pictures_is_the_same_each_time(tmp_path: Path) -> None:
    pictures = {f"p{i:02}": [("cat", (1.0, 1.0, 9.0, 9.0))] for i in range(20)}
    found = open_annotations(write_voc(tmp_path / "pets", pictures))
    chosen = [item.name for item in found.subset(5, seed=1).items]
    assert chosen == sorted(item.name for item in found.subset(5, seed=1).items)
    assert len(chosen) == 5
    assert chosen != [item.name for item in found.subset(5, seed=2).items]
    assert len(found.subset(50, seed=1)) == 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_has_the_size_in_which_it_is_shown(
    orientation: int, tmp_path: Path
) -> None:
    cv2 = pytest.importorskip("cv2")
    photo = cv2.imencode(".jpg", np.zeros((8, 24, 3), np.uint8))[1].tobytes()
    tags = b"II*\x00" + struct.pack("<IHHHIIi", 8, 1, 274, 3, 1, orientation, 0)
    exif = b"Exif\x00\x00" + tags
    header = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo[:2] + header + photo[2:])
    from edgekit.data.images import read_image

    assert displayed_size(path) == read_image(path).shape[:2]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "pictures", "boxes", "labels", "skipped"),
    [
        pytest.param("bccd", 364, 4886, ("Platelets", "RBC", "WBC"), 2, id="bccd"),
        pytest.param(
            "playing-cards",
            296,
            527,
            ("ace", "jack", "king", "nine", "queen", "ten"),
            0,
            id="cards",
        ),
    ],
)
def test_real_sets_are_read_whole(
    name: str, pictures: int, boxes: int, labels: tuple[str, ...], skipped: int, data_dir: Path
) -> None:
    found = open_annotations(data_dir / "detection" / name)
    assert len(found) == pictures
    assert sum(len(item.boxes) for item in found.items) == boxes
    assert found.labels == labels
    assert len(found.skipped) == skipped
