"""The README beside an artifact shows lines that fit that artifact."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import write_manifest
from edgekit.flatbuffer import Table, pack
from edgekit.flatbuffer.schema import enum_values
from edgekit.manifest import Manifest, Preprocessing
from edgekit.targets import target_names
from edgekit_converters.export.guide import GUIDES, write_guide

PICTURES = Manifest(
    name="pets",
    task="classify",
    labels=("cat", "dog", "cow"),
    preprocessing=Preprocessing(mean=(127.5,), std=(127.5,)),
)


def _artifact(path: Path, dtype: str, manifest: Manifest, shape: tuple[int, ...]) -> Path:
    """Write a RELU of one input and an output of three values with the same type."""
    steps = Table(
        "QuantizationParameters",
        scale=np.array([0.5], np.float32),
        zero_point=np.array([3], np.int64),
    )
    tensors = [
        Table(
            "Tensor",
            name=name,
            shape=np.array(sizes, np.int32),
            type=enum_values("TensorType")[dtype.upper()],
            quantization=None if dtype == "float32" else steps,
        )
        for name, sizes in (("x", shape), ("y", (1, 3)))
    ]
    relu = enum_values("BuiltinOperator")["RELU"]
    zero, one = np.array([0], np.int32), np.array([1], np.int32)
    graph = Table(
        "SubGraph",
        tensors=tensors,
        inputs=zero,
        outputs=one,
        operators=[Table("Operator", opcode_index=0, inputs=zero, outputs=one)],
    )
    code = Table("OperatorCode", builtin_code=relu, deprecated_builtin_code=relu, version=1)
    model = Table(
        "Model", version=3, operator_codes=[code], subgraphs=[graph], buffers=[Table("Buffer")]
    )
    path.write_bytes(write_manifest(pack(model), manifest))
    return path


def test_every_guide_belongs_to_a_target() -> None:
    assert GUIDES.keys() <= set(target_names())


@pytest.mark.parametrize(
    ("target", "dtype", "manifest", "words"),
    [
        pytest.param(
            "android",
            "uint8",
            PICTURES,
            [
                "ImageClassifier",
                'setModelAssetPath("pets.android.tflite")',
                "bytes as they are",
            ],
            id="MediaPipe, Kotlin",
        ),
        pytest.param(
            "android",
            "uint8",
            replace(PICTURES, task="generic"),
            [
                "Interpreter(model)",
                "allocateDirect(192)",
                "0.5f * (it.toUByte().toInt() - (3))",
            ],
            id="interpreter, Kotlin",
        ),
        pytest.param(
            "android-gpu",
            "float32",
            PICTURES,
            [
                "Accelerator.GPU",
                "litert-gpu:",
                "FloatArray of 192 values",
                "(byte - 127.5) / 127.5",
            ],
            id="GPU",
        ),
        pytest.param(
            "ios",
            "float32",
            PICTURES,
            ["MediaPipeTasksVision", 'forResource: "pets.ios", ofType: "tflite"'],
            id="MediaPipe, Swift",
        ),
        pytest.param(
            "ios",
            "int8",
            PICTURES,
            ["TensorFlowLiteSwift", "[Int8] of 192 values", "number - 3"],
            id="interpreter, Swift",
        ),
        pytest.param(
            "web",
            "uint8",
            PICTURES,
            [
                "loadAndCompile('/pets.web.tflite'",
                "new Tensor(values, [1, 8, 8, 3])",
                "Uint8Arr",
            ],
            id="JavaScript",
        ),
    ],
)
def test_the_lines_name_the_file_and_the_size_and_type_of_its_input(
    tmp_path: Path, target: str, dtype: str, manifest: Manifest, words: list[str]
) -> None:
    path = _artifact(tmp_path / f"pets.{target}.tflite", dtype, manifest, (1, 8, 8, 3))
    written = write_guide(tmp_path, [(target, path)])
    assert written == tmp_path / "README.md"
    text = written.read_text()
    assert [word for word in words if word not in text] == []
    assert "cat, dog, cow" in text
    assert "{" + "file}" not in text


def test_a_target_that_runs_python_gets_none(tmp_path: Path) -> None:
    path = _artifact(tmp_path / "a.tflite", "int8", PICTURES, (1, 8, 8, 3))
    assert write_guide(tmp_path, [("coral-usb", path)]) is None
    assert not (tmp_path / "README.md").exists()


def test_a_readme_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    path = _artifact(tmp_path / "a.tflite", "uint8", PICTURES, (1, 8, 8, 3))
    for _ in range(2):
        assert write_guide(tmp_path, [("web", path)]) == tmp_path / "README.edgekit.md"
    assert (tmp_path / "README.md").read_text() == "mine"


def test_one_s_own_readme_is_replaced(tmp_path: Path) -> None:
    path = _artifact(tmp_path / "a.tflite", "uint8", PICTURES, (1, 8, 8, 3))
    write_guide(tmp_path, [("web", path)])
    write_guide(tmp_path, [("android", path)])
    assert "kotlin" in (tmp_path / "README.md").read_text()
    assert "```js" not in (tmp_path / "README.md").read_text()
