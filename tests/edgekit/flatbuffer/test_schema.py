"""What is learned of the format agrees with the generated code of others."""

import pytest

from edgekit.flatbuffer.schema import UNIONS, enum_names, schema, snake

TABLES = ["Model", "SubGraph", "Tensor", "Operator", "OperatorCode", "Buffer", "Metadata"]
TABLES += ["QuantizationParameters", "SparsityParameters", "DimensionMetadata", "SignatureDef"]
TABLES += ["BlockwiseQuantization", "ExternalBuffer", "Conv2DOptions", "ReshapeOptions"]


@pytest.mark.parametrize(
    ("camel", "expected"),
    [
        ("StrideW", "stride_w"),
        ("DilationWFactor", "dilation_w_factor"),
        ("BuiltinOptions2", "builtin_options2"),
        ("Type", "type"),
    ],
)
def test_generated_names_become_those_of_the_schema(camel: str, expected: str) -> None:
    assert snake(camel) == expected


@pytest.mark.parametrize("table", TABLES)
def test_fields_and_defaults_are_those_of_the_runtimes_own_schema(table: str) -> None:
    theirs = pytest.importorskip("ai_edge_litert.schema_py_generated")
    fields = vars(getattr(theirs, f"{table}T")())
    known = {snake(name[0].upper() + name[1:]): value for name, value in fields.items()}
    found = schema(table).defaults
    tags = {f"{name}_type" for name in UNIONS}
    assert known.keys() - tags == found.keys()
    assert {name: known[name] for name in found} == found


@pytest.mark.parametrize("enum", ["BuiltinOptions", "BuiltinOptions2"])
def test_every_options_table_can_be_learned(enum: str) -> None:
    names = [name for name in enum_names(enum).values() if name != "NONE"]
    assert all(schema(name).name == name for name in names)
    assert len(names) > 15


def test_the_written_tables_of_the_standard_metadata_keep_their_slots() -> None:
    fields = {field.name: field for field in schema("TensorMetadata").fields}
    assert fields["associated_files"].slot == 6
    assert fields["content"].table == "Content"
    content = {field.name: field.slot for field in schema("Content").fields}
    assert content == {"content_properties": 1, "range": 2}
