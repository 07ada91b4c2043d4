"""What does not fit is said with every reason for every target at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import MissingExtra, TargetError
from edgekit.flatbuffer import Graph, Table, pack
from edgekit.flatbuffer.schema import enum_values
from edgekit.placement import ethos
from edgekit.targets import load_target
from edgekit_converters.export.checks import misfits, problems, refuse
from edgekit_converters.export.plan import plans
from edgekit_converters.pipeline import convert
from edgekit_converters.recipe import Recipe


def _graph(*ops: tuple[str, int], constant_bytes: int = 0, dtype: str = "float32") -> Graph:
    """A chain of operators of one input and one output, and a constant beside them."""
    kind = enum_values("TensorType")
    tensors = [
        Table(
            "Tensor", name=f"t{i}", shape=np.array([1, 4], np.int32), type=kind[dtype.upper()]
        )
        for i in range(len(ops) + 1)
    ]
    shape = np.array([constant_bytes], np.int32)
    tensors.append(Table("Tensor", name="w", shape=shape, type=kind["INT8"], buffer=1))
    known = enum_values("BuiltinOperator")
    main = Table(
        "SubGraph",
        tensors=tensors,
        inputs=np.array([0], np.int32),
        outputs=np.array([len(ops)], np.int32),
        operators=[
            Table(
                "Operator",
                opcode_index=i,
                inputs=np.array([i], np.int32),
                outputs=np.array([i + 1], np.int32),
            )
            for i in range(len(ops))
        ],
    )
    codes = [
        Table(
            "OperatorCode",
            builtin_code=known[name],
            deprecated_builtin_code=min(known[name], 127),
            version=version,
        )
        for name, version in ops
    ]
    buffers = [Table("Buffer"), Table("Buffer", data=np.zeros(constant_bytes, np.uint8))]
    return Graph(
        pack(Table("Model", version=3, operator_codes=codes, subgraphs=[main], buffers=buffers))
    )


def test_a_model_that_fits_has_no_reasons() -> None:
    target = load_target("raspberry-pi-4")
    assert misfits(_graph(("RELU", 1)), target, integer_only=False) == []
    refuse({"raspberry-pi-4": []})


def test_every_reason_is_found() -> None:
    target = load_target("raspberry-pi-zero-2w")
    assert target.memory_mb is not None
    graph = _graph(
        ("RELU", 99), ("CONV_2D", 99), constant_bytes=int((target.memory_mb + 1) * 2**20)
    )
    found = misfits(graph, target, integer_only=True)
    assert [each.partition(" ")[0] for each in found] == [
        "RELU",
        "CONV_2D",
        "The",
        "--integer-only,",
    ]
    assert "The weights take 193.0 MiB; it has 192 MiB" in found[2]


def test_the_reasons_of_all_targets_stand_in_one_message() -> None:
    with pytest.raises(TargetError) as caught:
        refuse({"a": ["one.", "two."], "b": [], "c": ["three."]})
    assert str(caught.value).splitlines() == [
        "The model does not fit a, c:",
        "  a: one.",
        "  a: two.",
        "  c: three.",
    ]
    assert caught.value.exit_code == 4


def test_wishes_that_no_target_can_meet_are_told_together() -> None:
    recipe = Recipe(
        model="m.keras",
        calibrate="x",
        targets=("coral-usb", "ethos-u55-128", "web"),
        scheme="float16",
        io="int8",
        keep_float=("head",),
    )
    with pytest.raises(TargetError) as caught:
        plans(recipe)
    said = str(caught.value)
    assert said.count("coral-usb: ") == said.count("ethos-u55-128: ") == 2
    assert (
        "web: its runtime takes inputs and outputs of float32 or uint8; asked for int8" in said
    )


def test_a_missing_compiler_is_said_before_anything_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethos, "find_vela", lambda: None)
    for name in ("m.keras", "x.npz"):
        (tmp_path / name).touch()
    recipe = Recipe(
        model=str(tmp_path / "m.keras"),
        calibrate=str(tmp_path / "x.npz"),
        targets=("ethos-u55-128",),
    )
    with pytest.raises(MissingExtra, match=r"edgekit\[ethos\]"):
        convert(recipe, tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("android-gpu", "Not certain to run on the GPU: CUMSUM", id="gpu"),
        pytest.param("host", "", id="cpu"),
    ],
)
def test_what_the_gpu_leaves_is_a_warning(name: str, words: str) -> None:
    found: Any = problems(_graph(("CUMSUM", 1), ("CUMSUM", 1)), "float16", load_target(name))
    assert words in " ".join(found)
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("name", "dtype", "warned"),
    [
        pytest.param("android", "int8", True, id="android"),
        pytest.param("ios", "int8", True, id="ios"),
        pytest.param("android", "uint8", False, id="bytes"),
        pytest.param("android", "float32", False, id="real values"),
        pytest.param("raspberry-pi-4", "int8", False, id="no phone"),
    ],
)
def test_int8_inputs_for_a_phone_are_a_warning(name: str, dtype: str, warned: bool) -> None:
    found = problems(_graph(("RELU", 1), dtype=dtype), "int8", load_target(name))
    said = [each for each in found if each.startswith("MediaPipe Tasks refuses")]
    assert len(said) == warned
