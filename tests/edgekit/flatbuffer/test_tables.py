"""Files are read, changed and packed without loss, and no file can do harm."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.flatbuffer import tables
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.schema import schema
from edgekit.flatbuffer.tables import Table, Unknown, pack, read_model

SMALL = "models/tflite/tflite_micro/examples/hello_world/models/hello_world_int8.tflite"
same_model = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300
)


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Places where two trees differ."""
    if isinstance(a, Table) and isinstance(b, Table):
        names = a.__dict__.keys() | b.__dict__.keys()
        fields = ((k, a.__dict__[k], b.__dict__[k]) for k in names)
        return [d for k, x, y in fields for d in differences(x, y, f"{where}.{k}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [d for i, (x, y) in pairs for d in differences(x, y, f"{where}[{i}]")]
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return [] if (a.dtype, a.tobytes()) == (b.dtype, b.tobytes()) else [where]
    return [] if type(a) is type(b) and (a == b or str(a) == str(b) == "nan") else [where]


def look_at_everything(data: bytes) -> None:
    """Read, view and pack again; only an InputError may come of it."""
    try:
        graph = Graph(data)
        graph.float_islands  # noqa: B018 (computed when asked for)
        for subgraph in graph.subgraphs:
            for op in subgraph.ops:
                graph.macs(op)
                graph.custom_options(op)
            for tensor in subgraph.tensors:
                if tensor.is_constant and subgraph.index == 0:
                    graph.constant(tensor)
        pack(graph.file.model)
    except InputError as error:
        if len(str(error)) < 20:
            pytest.fail(f"no words: {error}")


def test_what_is_packed_is_read_back(model: Table) -> None:
    data = pack(model)
    assert data[4:8] == b"TFL3"
    assert (
        differences(read_model(data).model, read_model(pack(read_model(data).model)).model)
        == []
    )


def test_packing_twice_gives_the_same_bytes(model: Table) -> None:
    data = pack(model)
    assert pack(read_model(data).model) == pack(read_model(pack(read_model(data).model)).model)


def test_constants_are_aligned(model: Table) -> None:
    data = pack(model)
    for buffer in read_model(data).model.buffers:
        if buffer.data is not None:
            assert data.find(buffer.data.tobytes()) % 16 == 0


def test_what_nothing_refers_to_is_not_written(model: Table) -> None:
    before = len(pack(model))
    model.buffers[1].data = None
    assert len(pack(read_model(pack(model)).model)) < before


def test_a_typing_mistake_in_a_field_is_an_error(model: Table) -> None:
    with pytest.raises(AttributeError, match="Model has no subgraph"):
        model.subgraph = []
    with pytest.raises(TypeError, match="Tensor has no shpae"):
        Table("Tensor", shpae=None)


def test_names_that_are_no_utf8_survive(model: Table) -> None:
    model.subgraphs[0].tensors[0].name = b"\xff\xfe x".decode("utf-8", "surrogateescape")
    again = read_model(pack(model)).model
    assert (
        again.subgraphs[0].tensors[0].name.encode("utf-8", "surrogateescape") == b"\xff\xfe x"
    )


def test_constants_behind_the_flatbuffer_are_taken_in(model: Table) -> None:
    weights = model.buffers[1].data.tobytes()
    model.buffers[1] = Table("Buffer", offset=2**20, size=len(weights))
    model.subgraphs[0].operators[1].large_custom_options_offset = 2**20
    model.subgraphs[0].operators[1].large_custom_options_size = 4
    data = pack(model)
    data += bytes(2**20 - len(data)) + weights
    file = read_model(data)
    packed = read_model(pack(file.model))
    again = packed.model
    assert list(file.far) == [1]
    assert not packed.far
    assert again.buffers[1].data.tobytes() == weights
    assert again.buffers[1].offset == 0
    assert again.subgraphs[0].operators[1].custom_options.tobytes() == weights[:4]
    with pytest.raises(InputError, match="refers to byte"):
        read_model(data[:-1])


def test_options_of_a_later_schema_are_seen_but_not_packed(model: Table) -> None:
    model.subgraphs[0].operators[1].builtin_options = Table("Conv2DOptions", stride_w=7)
    data = bytearray(pack(model))
    for place in range(len(data)):  # the tag of the union is one byte somewhere
        if data[place] != 1:
            continue
        changed = bytes(data[:place] + b"\xfa" + data[place + 1 :])
        try:
            found = read_model(changed).model.subgraphs[0].operators[1].builtin_options
        except InputError:
            continue
        if isinstance(found, Unknown):
            break
    else:
        pytest.fail("no byte is the tag")
    assert found == Unknown("BuiltinOptions", 250)
    assert Graph(changed).ops[1].options == {}
    with pytest.raises(InputError, match="pip install -U tflite"):
        pack(read_model(changed).model)


def test_fields_of_a_later_schema_are_noticed(
    model: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.subgraphs[0].tensors[0].external_buffer = 7
    data = pack(model)
    full = schema("Tensor")
    known = replace(full, fields=full.fields[:-1], slots=full.slots - 1)
    monkeypatch.setattr(
        tables, "schema", lambda kind: known if kind == "Tensor" else schema(kind)
    )
    assert len(Graph(data).inputs) == 1
    with pytest.raises(InputError, match="a Tensor with fields which this version"):
        pack(read_model(data).model)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"abc\xff", "cut off after 4 bytes", id="four bytes"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="lfs"),
        pytest.param(b"<!DOCTYPE html><html>", "a web page", id="page"),
        pytest.param(b"\n  <html>", "a web page", id="page without doctype"),
        pytest.param(b"PK\x03\x04" + bytes(40), "edgekit convert", id="zip"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5", id="h5"),
        pytest.param(b"\x1f\x8b\x08" + bytes(40), "gzip", id="gzip"),
        pytest.param(b"\x08\x07\x12\x07pytorch", "ONNX", id="onnx"),
        pytest.param(b'{"a": 1, "b": 2}', "a text file", id="json"),
        pytest.param(bytes(64), "unfinished download", id="zeros"),
        pytest.param(b"\x01\x02\x03\x04\x05\x06\x07\x08\x90", "of another kind", id="unknown"),
    ],
)
def test_files_of_other_kinds_are_named(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_model(data)


def test_every_truncation_is_an_error_in_words(model: Table) -> None:
    data = pack(model)
    for length in range(len(data)):
        look_at_everything(data[:length])
    with pytest.raises(InputError, match=r"truncated or damaged.*refers to byte"):
        read_model(data[: len(data) // 2])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.tflite: No such file"):
        read_model(tmp_path / "no.tflite")
    with pytest.raises(InputError, match="is not a file"):
        read_model(tmp_path)
    with pytest.raises(InputError, match="Cannot read"):
        read_model("a\0b")
    with pytest.raises(InputError, match="is not a file"):
        read_model(Path("/dev/zero"))


def test_parts_that_are_shared_over_and_over_are_refused(model: Table) -> None:
    builder = tables._Builder(0)
    graph = tables._pack_table(builder, model.subgraphs[0])
    count = 100_000
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    builder.StartObject(8)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    with pytest.raises(InputError, match="refer to each other over and over"):
        read_model(bytes(builder.Output()))


def test_equal_vectors_of_numbers_are_written_once(model: Table) -> None:
    sizes = [len(pack(model))]
    for _ in range(10):
        tensor = Table("Tensor", name="", shape=np.arange(1000, dtype=np.int32))
        model.subgraphs[0].tensors.append(tensor)
        sizes.append(len(pack(model)))
    assert sizes[1] - sizes[0] > 4000
    assert sizes[-1] - sizes[1] < 1000
    again = read_model(pack(model)).model.subgraphs[0].tensors[-10:]
    assert all(np.array_equal(each.shape, np.arange(1000)) for each in again)


def test_a_tensor_of_absurd_rank_is_refused(model: Table) -> None:
    model.subgraphs[0].tensors[0].shape = np.full(100_000, 2**31 - 1, np.int32)
    with pytest.raises(InputError, match="100,000 dimensions"):
        Graph(pack(model))


@same_model
@given(noise=st.binary(max_size=200), head=st.booleans())
def test_random_bytes_are_an_error_in_words(noise: bytes, head: bool) -> None:
    look_at_everything(b"\x1c\0\0\0TFL3" + noise if head else noise)


@same_model
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.sampled_from([1, 4]), st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=20,
    )
)
def test_mutated_bytes_are_an_error_in_words(
    model: Table, edits: list[tuple[int, int, int]]
) -> None:
    data = bytearray(pack(model))
    for place, width, value in edits:
        start = place % (len(data) - 4)
        data[start : start + width] = value.to_bytes(4, "little")[:width]
    look_at_everything(bytes(data))


@pytest.mark.data
def test_mutated_real_files_are_an_error_in_words(data_dir: Path, fuzz_rounds: int) -> None:
    original = (data_dir / SMALL).read_bytes()
    rng = random.Random(0)
    for _ in range(10 * fuzz_rounds):
        data = bytearray(original)
        for _ in range(rng.choice([1, 2, 10])):
            start = 4 * rng.randrange(len(data) // 4)
            data[start : start + 4] = rng.choice([b"\xff" * 4, bytes(4), rng.randbytes(4)])
        look_at_everything(bytes(data))


def real_models(data_dir: Path) -> list[Path]:
    folders = ("models/tflite", "edgetpu/test_data", "edgetpu/asr_demo/tflite_model")
    found = [p for folder in folders for p in sorted((data_dir / folder).rglob("*.tflite"))]
    return list({path.read_bytes(): path for path in found}.values())


@pytest.mark.data
def test_every_real_file_survives_reading_and_packing(data_dir: Path) -> None:
    for path in real_models(data_dir):
        file = read_model(path)
        again = read_model(pack(file.model))
        assert differences(file.model, again.model) == [], path
        assert Graph(file).subgraphs == Graph(again).subgraphs


RUN_BOTH = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def outputs(path):
    runner = Interpreter(path, num_threads=1)
    runner.allocate_tensors()
    rng = np.random.default_rng(0)
    for each in runner.get_input_details():
        values = (rng.normal(size=each["shape"]) if each["dtype"] == np.float32
                  else rng.integers(0, 5, each["shape"]))
        runner.set_tensor(each["index"], values.astype(each["dtype"]))
    runner.invoke()
    return [runner.get_tensor(each["index"]).tobytes() for each in runner.get_output_details()]

first = outputs(sys.argv[1])
print("ran", flush=True)
print(first == outputs(sys.argv[2]))
"""


@pytest.mark.data
@pytest.mark.slow
def test_every_real_file_gives_the_same_outputs_after_packing(
    data_dir: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_litert.interpreter")
    ran = 0
    for path in real_models(data_dir):
        packed = tmp_path / path.name
        packed.write_bytes(pack(read_model(path).model))
        # A process a file: the runtime aborts on some files, the originals too.
        child = subprocess.run(
            [sys.executable, "-c", RUN_BOTH, path, packed],
            capture_output=True,
            text=True,
            check=False,
        )
        if "ran" in child.stdout:
            assert child.stdout.split() == ["ran", "True"], path
            ran += 1
    assert ran > 25
