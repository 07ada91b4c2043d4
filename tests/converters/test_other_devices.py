"""One conversion for a phone's GPU, iOS, a page and an NPU, opened by the client of each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import in_browser
from phone import classify

from edgekit.flatbuffer.graph import Graph
from edgekit.placement import ethos
from edgekit.runtime import load
from edgekit_converters.pipeline import ArtifactResult, convert
from edgekit_converters.recipe import Recipe
from edgekit_demos import models, shapes

pytestmark = [pytest.mark.tf, pytest.mark.slow]

TARGETS = ("android-gpu", "ios", "web")
STEP = 1.5 / 256
SOURCE = Path(models.__file__).with_name("shapes.keras")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ArtifactResult]:
    folder = tmp_path_factory.mktemp("phones")
    shapes.write_npz(folder / "shapes.npz", 60, seed=1)
    targets = (*TARGETS, "ethos-u55-128") if ethos.find_vela() else TARGETS
    recipe = Recipe(
        model=str(SOURCE),
        targets=targets,
        calibrate=str(folder / "shapes.npz"),
    )
    return {each.target: each for each in convert(recipe, folder / "out").artifacts}


@pytest.fixture(scope="module")
def pictures() -> Any:
    return shapes.draw(8, seed=5)[0]


def test_each_gets_the_type_that_its_client_takes(made: dict[str, ArtifactResult]) -> None:
    assert {name: (made[name].scheme, made[name].io) for name in TARGETS} == {
        "android-gpu": ("float16", "float32"),
        "ios": ("int8", "float32"),
        "web": ("int8", "float32"),
    }
    for name in TARGETS:
        assert load(Path(made[name].path)).inputs[0].shape[0] == 1


def test_every_operator_of_the_gpu_s_artifact_is_on_the_delegate_s_list(
    made: dict[str, ArtifactResult],
) -> None:
    assert made["android-gpu"].warnings == ()
    graph = Graph(Path(made["android-gpu"].path))
    weights = [t for t in graph.main.tensors if t.is_constant and len(t.shape) == 4]
    assert {each.dtype for each in weights} == {"float16"}


@pytest.mark.parametrize("target", ["android-gpu", "ios"])
def test_mediapipe_sees_what_edgekit_sees(
    made: dict[str, ArtifactResult], pictures: Any, target: str, tmp_path: Path
) -> None:
    cv2 = pytest.importorskip("cv2")
    paths = [tmp_path / f"{index}.png" for index in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), picture[..., ::-1])
    model = Path(made[target].path)
    (best,) = classify([model], paths)
    expected = np.asarray(load(model)(pictures / np.float32(255)))
    assert [name for _, name, _ in best] == [
        shapes.CLASSES[index] for index in expected.argmax(axis=1)
    ]
    np.testing.assert_allclose([each[2] for each in best], expected.max(axis=1), atol=STEP)


@pytest.mark.parametrize("target", ["web", "android-gpu"])
def test_a_page_sees_what_edgekit_sees(
    made: dict[str, ArtifactResult], pictures: Any, target: str
) -> None:
    x = pictures / np.float32(255)
    model = Path(made[target].path)
    answers, inputs = in_browser(model, [[each[None]] for each in x])
    assert inputs == [["float32", [1, 64, 64, 3]]]
    found = np.array([outputs[0] for outputs in answers])
    np.testing.assert_allclose(found, np.asarray(load(model)(x)), atol=STEP)


def test_vela_compiles_all_of_it(made: dict[str, ArtifactResult]) -> None:
    if "ethos-u55-128" not in made:
        pytest.skip("Vela is not installed, and EDGEKIT_VELA names none")
    compiled = made["ethos-u55-128"].compiled
    assert compiled is not None
    assert compiled.summary.keys() == {"npu"}
    assert compiled.estimate is not None
    assert compiled.estimate["latency_ms"] > 0
    assert compiled.bytes == Path(compiled.path).stat().st_size
    assert ethos.is_compiled(Graph(Path(compiled.path)))


def test_a_readme_shows_how_to_load_them(made: dict[str, ArtifactResult]) -> None:
    text = Path(made["web"].path).with_name("README.md").read_text()
    for name in TARGETS:
        assert f"# {Path(made[name].path).name}" in text
