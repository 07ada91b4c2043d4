"""Claim: every family of Keras 3 models becomes an int8 file that runs in both interpreters.

Builds a small model of each family (`families.py`), converts it by default and, where float
ops are left, with --integer-only, and writes the table into docs/model-families.md. SQNR is
that of the output against the float model on the 60 calibration inputs, which says how exact
int8 is there, not how good the model is. Beside it stands what rounding the inputs to 8 bits,
and nothing else, leaves in the float model. With EDGEKIT_TFLITE_PYTHON every file is run in
tflite-runtime too.

    EDGEKIT_TFLITE_PYTHON=... python benchmarks/model_families.py [NAME...]
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from families import FAMILIES, Family, inputs, make

import edgekit
from edgekit.errors import EdgekitError
from edgekit.flatbuffer.graph import Graph

PAGE = Path(__file__).parents[1] / "docs" / "model-families.md"
BEGIN, END = "<!-- table: benchmarks/model_families.py -->", "<!-- end of table -->"
HEADS = (
    "family",
    "int8 bytes",
    "ops",
    "SQNR",
    "inputs alone",
    "float ops",
    "integer only",
    "runs in",
)
_SAMPLES = 60
_SHORES = {"DEQUANTIZE", "QUANTIZE"}  # of islands: they go with what is between them
_RANGE = {"pictures": [0.0, 1.0], "pixels": [0.0, 255.0]}


def convert(family: Family, folder: Path, **more: Any) -> Any:
    """Convert a family's model, which stands in the folder, to int8.

    Args:
        family: Which one.
        folder: Holds `model.keras`; the calibration inputs and the artifact go there.
        more: Further fields of the recipe.

    Returns:
        The artifact, as `edgekit.convert` returns it.
    """
    np.save(folder / "x.npy", inputs(family, _SAMPLES, seed=1))
    wishes: dict[str, Any] = {"scheme": "int8", "calibrate": folder / "x.npy", **more}
    if family.kind in _RANGE:
        wishes["preprocessing"] = {"input_range": _RANGE[family.kind]}
    return edgekit.convert(folder / "model.keras", folder, **wishes).artifacts[0]


def islands(path: str) -> Counter[str]:
    """Count the float ops in an artifact by kind, without the conversions around them."""
    return Counter(op.op for op in Graph(Path(path)).float_islands if op.op not in _SHORES)


def inputs_alone(family: Family, model: Any) -> float:
    """Return what rounding the inputs to 8 bits, and nothing else, leaves of the outputs.

    Args:
        family: A family that has no words as inputs.
        model: Its float model.

    Returns:
        Signal to noise of the outputs in dB. A net that has less here than its int8 file shall
        have amplifies noise, and that file says nothing of int8.
    """
    x = inputs(family, _SAMPLES, seed=1)
    step = (max(float(x.max()), 0.0) - min(float(x.min()), 0.0)) / 255
    rounded = np.rint(x / step) * step
    wanted, found = (np.asarray(model(each, training=False)) for each in (x, rounded))
    noise = np.square(found - wanted, dtype=np.float64).sum()
    return float(10 * np.log10(np.square(wanted, dtype=np.float64).sum() / noise))


def row(family: Family) -> str:
    """Build, convert and sum up, as one line of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make(family, folder / "model.keras")
        made = convert(family, folder)
        left = islands(made.path)
        ops = len(Graph(Path(made.path)).ops)
        only = "yes"
        if left:
            try:
                again = convert(family, folder, integer_only=True)
                only = f"{min(again.sqnr_db.values()):.1f} dB"
            except EdgekitError:
                only = "no"
    sqnr = f"{min(made.sqnr_db.values()):.1f} dB"
    cells = (
        family.name,
        f"{made.bytes:,}",
        str(ops),
        ": ".join(each for each in (sqnr, family.shortfall) if each),
        "-" if family.kind == "words" else f"{inputs_alone(family, model):.1f} dB",
        ", ".join(f"{count} {op}" for op, count in left.items()) or "none",
        only,
        ", ".join(made.verified_in),
    )
    return f"| {' | '.join(cells)} |"


def rows() -> dict[str, dict[str, str]]:
    """Read the table of the page: the cells of each family by their heads."""
    table = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    lines = [[cell.strip() for cell in each.split("|")[1:-1]] for each in table.splitlines()]
    found = [dict(zip(HEADS, each, strict=True)) for each in lines if each]
    return {each["family"]: each for each in found[2:]}  # behind the head and the rule


def main() -> None:
    """Measure the families named, or all, and put their lines into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="Families; without any, all of them.")
    wanted = parser.parse_args().names
    for family in FAMILIES:
        if not wanted or family.name in wanted:
            line = row(family)
            print(line, flush=True)
            put(family.name, line)


def put(name: str, line: str) -> None:
    """Put the line of one family into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    lines = {each.split(" | ")[0].strip("| "): each for each in table.splitlines() if each}
    lines[name] = line
    kept = [lines[family.name] for family in FAMILIES if family.name in lines]
    head = [f"| {' | '.join(HEADS)} |", "|---|---:|---:|---:|---:|---|---|---|"]
    made = "\n".join([BEGIN, *head, *kept, END])
    PAGE.write_text(before + made + after, encoding="utf-8")


if __name__ == "__main__":
    main()
