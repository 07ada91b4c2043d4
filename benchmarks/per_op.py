"""Claim: the times of single operators add up to the time of the whole model.

1. By the runtime's profiler, operators plus one overhead row equal the whole within 3 %, and
   the overhead is at most 10 % where XNNPACK runs the model as one part.
2. Cut out and run alone, they come within 10 % of the whole for at least 80 % of the models.

    EDGEKIT_DATA=... python benchmarks/per_op.py [MODEL.tflite...] [--threads 1] [--runs N]

Without models those of `MODELS` that EDGEKIT_DATA and the demos hold. The whole is measured
in turns with the operators, in the same process. Prints JSON; needs an idle machine.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.measure import machine
from edgekit.profiling.perop.measure import Method, per_op
from edgekit.profiling.perop.records import PerOp
from edgekit.records import to_json
from edgekit_demos.models import model_path

SCHEMA = 1
SUM_LIMIT, OVERHEAD_LIMIT = 0.03, 0.10
CUT_LIMIT, CUT_SHARE = 0.10, 0.80
MODELS = (
    "ASR_Model",
    "ad01_fp32",
    "ad01_int8",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "dtln_noise_suppression",
    "face_detection_back",
    "face_detection_front",
    "face_detection_full_range",
    "face_detection_full_range_sparse",
    "face_detection_short_range",
    "kws_ref_model",
    "kws_ref_model_float32",
    "micro_speech_quantized",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.25_224_1_default_1",
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v1_0.5_160_quant",
    "model_conv_128x128x3x32x7x10",
    "movenet_single_pose_lightning_ptq",
    "movie_review",
    "pretrainedResnet",
    "pretrainedResnet_large_float",
    "pretrainedResnet_large_int8",
    "pretrainedResnet_quant",
    "str_ww_ref_model",
    "trained_lstm",
    "trained_lstm_int8",
    "vww_96_float",
    "vww_96_int8",
)
CARRIED = ("shapes.raspberry-pi-4", "shapes.android")


def models() -> Iterator[Path]:
    """Yield the models of the list that are here."""
    data = os.environ.get("EDGEKIT_DATA")
    here = {path.stem: path for path in Path(data).rglob("*.tflite")} if data else {}
    for name in MODELS:
        if name in here:
            yield here[name]
        else:
            print(f"{name}.tflite is not in EDGEKIT_DATA", file=sys.stderr)
    yield from (model_path(name) for name in CARRIED)


def measured(path: Path, method: Method, threads: int, runs: int | None) -> dict[str, Any]:
    """Measure the operators of a model in one way."""
    try:
        ops, about = per_op(path, threads=threads, runs=runs, method=method)
    except EdgekitError as error:
        return {"refused": str(error).partition("\n")[0]}
    return {
        "whole_ms": about.whole_ms,
        "ops_ms": about.ops_ms,
        "overhead": about.overhead_ms / (about.ops_ms + about.overhead_ms),
        "difference": about.difference,
        "partitions": about.partitions,
        "operators": len(ops) - 1,
        "runs": about.runs,
        "holds": _holds(about),
        "notes": about.notes,
    }


def _holds(about: PerOp) -> bool:
    if about.method == "cut":
        return abs(about.difference) <= CUT_LIMIT
    overhead = about.overhead_ms / (about.ops_ms + about.overhead_ms)
    small = overhead <= OVERHEAD_LIMIT or about.partitions != 1
    return abs(about.difference) <= SUM_LIMIT and small


def main() -> None:
    """Measure each model both ways."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    before = machine()
    rows: list[dict[str, Any]] = []
    for path in options.models or models():
        print(path.name, file=sys.stderr)
        told = measured(path, "profiler", options.threads, options.runs)
        alone = measured(path, "cut", options.threads, options.runs)
        rows.append({"model": path.name, "profiler": told, "cut": alone})
    told_rows = [row["profiler"] for row in rows if "refused" not in row["profiler"]]
    alone_rows = [row["cut"] for row in rows if "refused" not in row["cut"]]
    within = sum(row["holds"] for row in alone_rows) / max(1, len(rows))
    found = {
        "schema": SCHEMA,
        "profiler_models": len(told_rows),
        "profiler_holds": sum(row["holds"] for row in told_rows),
        "cut_models": len(alone_rows),
        "cut_within_10pct": within,
        "claim_1": bool(told_rows) and all(row["holds"] for row in told_rows),
        "claim_2": within >= CUT_SHARE,
        "machine": to_json(before),
        "load_after": machine().load,
        "results": rows,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
