"""Measure the highest version of each operator that a runtime knows.

For every builtin operator of the schema a file is made that declares it, in one version
after the other, and holds nothing else; the interpreter refuses the file if it does not
know that version. Custom operators are tried the same way, as the only node.

    python benchmarks/probe_op_versions.py litert-2.3
    python benchmarks/probe_op_versions.py tflite-2.14 --python TFLITE_ENVIRONMENT/bin/python

Prints one table of `edgekit/placement/op_versions.toml`.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import guard
from edgekit.errors import CrashError
from edgekit.flatbuffer import Table, pack
from edgekit.flatbuffer.schema import enum_values

_HIGHEST = 40  # versions tried; the highest in use is 14
_UNKNOWN = ("Didn't find op for builtin", "out of range", "unresolved custom op")
_CUSTOM = (
    "AudioSpectrogram",
    "Mfcc",
    "NumericVerify",
    "TFLite_Detection_PostProcess",
)
_NO_OPERATORS = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}


def declaration(code: int, version: int) -> bytes:
    """Make a model that declares an operator and does not use it."""
    tensor = Table("Tensor", shape=np.ones(1, np.int32), name="x")
    graph = Table(
        "SubGraph",
        tensors=[tensor],
        inputs=np.zeros(1, np.int32),
        outputs=np.zeros(1, np.int32),
        operators=[],
    )
    operator = Table(
        "OperatorCode",
        builtin_code=code,
        deprecated_builtin_code=min(code, 127),
        version=version,
    )
    return _model(operator, graph)


def use(custom: str) -> bytes:
    """Make a model with one custom operator."""
    tensors = [Table("Tensor", shape=np.ones(1, np.int32), name=name) for name in "xy"]
    node = Table(
        "Operator",
        opcode_index=0,
        inputs=np.zeros(1, np.int32),
        outputs=np.ones(1, np.int32),
    )
    graph = Table(
        "SubGraph",
        tensors=tensors,
        inputs=np.zeros(1, np.int32),
        outputs=np.ones(1, np.int32),
        operators=[node],
    )
    code = enum_values("BuiltinOperator")["CUSTOM"]
    operator = Table(
        "OperatorCode", builtin_code=code, deprecated_builtin_code=code, custom_code=custom
    )
    return _model(operator, graph)


def _model(operator: Table, graph: Table) -> bytes:
    return pack(
        Table(
            "Model",
            version=3,
            operator_codes=[operator],
            subgraphs=[graph],
            buffers=[Table("Buffer")],
        )
    )


def knows(path: str) -> bool:
    """Whether the installed interpreter knows the operator of a file."""
    from edgekit.runtime.backends import open_backend

    try:
        open_backend().interpreter(model_path=path, num_threads=1).allocate_tensors()
    except (ValueError, RuntimeError) as error:
        return not any(words in str(error) for words in _UNKNOWN)
    return True


def highest_versions(folder: str) -> dict[str, int]:
    """Highest version of each operator that the interpreter knows; runs in a child."""
    found: dict[str, int] = {}
    for path in sorted(Path(folder).glob("*.tflite")):
        name, version, _ = path.name.split(".")
        if knows(str(path)):
            found[name] = max(int(version), found.get(name, 0))
    return found


def runtime() -> str:
    """Name the installed interpreter; runs in a child."""
    from edgekit.runtime.backends import open_backend

    backend = open_backend()
    return f"{backend.name} {backend.version}"


def probe(python: str) -> tuple[str, dict[str, int], list[str]]:
    """Return the runtime's name, the highest version of each builtin, the custom operators."""
    with tempfile.TemporaryDirectory() as folder:
        for name, code in enum_values("BuiltinOperator").items():
            for version in range(1, _HIGHEST + 1) if name not in _NO_OPERATORS else ():
                path = Path(folder, f"{name}.{version}.tflite")
                path.write_bytes(declaration(code, version))
        found = _call("highest_versions", python, folder=folder)
        custom = [name for name in _CUSTOM if _knows_custom(name, folder, python)]
    return _call("runtime", python), found, custom


def _knows_custom(name: str, folder: str, python: str) -> bool:
    path = Path(folder, "custom.tflite")
    path.write_bytes(use(name))
    try:
        return bool(_call("knows", python, path=str(path)))
    except CrashError:  # its own code ran, on inputs that make no sense
        return True


def _call(function: str, python: str, **arguments: Any) -> Any:
    return guard.call(
        f"probe_op_versions:{function}", doing="probing", python=python, **arguments
    )


def main() -> None:
    """Probe one runtime and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", help="name of the table, e.g. litert-2.3")
    parser.add_argument("--python", default=sys.executable, help="Python with the runtime")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent)  # for the children
    title, ops, custom = probe(options.python)
    print(f'["{options.table}"]\ntitle = "{title}"\ncomplete = true')
    print('evidence = "measured by benchmarks/probe_op_versions.py"')
    print(f"custom = {custom}".replace("'", '"'))
    print(f'\n["{options.table}".ops]')
    for name, version in ops.items():
        print(f"{name} = {version}")


if __name__ == "__main__":
    main()
