"""The placement map: which operator runs where, in the order of execution."""

from collections.abc import Callable

from reported import Reader, inspection

Page = Callable[..., Reader]
ARTIFACT = {
    "path": "out/cat.coral-usb.tflite",
    "target": "coral-usb",
    "placement": {
        "summary": {"edgetpu": 3, "cpu": 1, "uncertain": 0},
        "elsewhere": ["GATHER: not supported"],
    },
}


def test_neighbours_in_one_place_are_one_part_of_the_strip(page: Page) -> None:
    reader = page(inspection("edgetpu", "edgetpu", "cpu", "edgetpu"))
    strip = [each for each in reader.of("rect") if each.get("x") and each["class"][:3] == "on-"]
    assert [(each["class"], each["x"], each["width"]) for each in strip] == [
        ("on-edgetpu", "0.00%", "50.00%"),
        ("on-cpu", "50.00%", "25.00%"),
        ("on-edgetpu", "75.00%", "25.00%"),
    ]


def test_every_part_says_why_it_is_there(page: Page) -> None:
    words = page(inspection("edgetpu", "edgetpu", "cpu")).words
    assert "0 to 12 CONV_2Dedgetpubecause it is edgetpu" in words
    assert "2CONV_2Dcpubecause it is cpu" in words


def test_the_legend_counts_operators(page: Page) -> None:
    words = page(inspection("edgetpu", "edgetpu", "cpu")).words
    assert "edgetpu: 2 operators" in words
    assert "cpu: 1 operator" in words


def test_an_artifact_shows_the_counts_that_its_run_knows(page: Page) -> None:
    words = page({"artifacts": [ARTIFACT]}).words
    assert "edgetpu: 3 operators" in words
    assert "GATHER: not supported" in words
    assert "uncertain:" not in words


def test_an_inspected_artifact_is_shown_once(page: Page) -> None:
    words = page({"artifacts": [ARTIFACT]}, inspection("edgetpu", "cpu")).words
    assert "edgetpu: 1 operator" in words
    assert "edgetpu: 3 operators" not in words


def test_an_inspection_without_a_target_has_no_map(page: Page) -> None:
    document = {"model": "cat.tflite", "fully_integer": True, "ops": [{"placement": None}]}
    assert "Placement" not in page(document).words
