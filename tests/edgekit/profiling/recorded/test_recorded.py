"""Recorded output: benchmark_model in all generations, its CSV, litert-benchmark's JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError, UnknownName
from edgekit.profiling.profile import Profile
from edgekit.profiling.recorded import read_recorded
from edgekit.profiling.recorded.benchmark_model import is_benchmark_model, read_benchmark_model
from edgekit.profiling.recorded.operators import read_operators
from edgekit.records import from_json, to_json

BAR = "=============================="
# Each generation says: 40 runs of 2.5 ms, an operator of 2 ms and one of .4 ms.
FIRST = f"""\
STARTING!
Num threads: [1]
Graph: [model.tflite]
Initialized session in 8.1ms
Running benchmark for at least 1 iterations and at least 0.5 seconds
count=1 curr=3100

Running benchmark for at least 40 iterations and at least 1 seconds
count=40 first=2600 curr=2450 min=2400 max=2900 avg=2500 std=50

{BAR} Run Order {BAR}
\t             [node type]\t          [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t            0.000\t    2.100\t    2.000\t 83.333%\t 83.333%\t     0.000\t        1\t[net/Relu]
\t                 SOFTMAX\t            2.000\t    0.500\t    0.400\t 16.667%\t100.000%\t     0.000\t        1\t[net/Softmax]

{BAR} Top by Computation Time {BAR}
\t             [node type]\t          [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t            0.000\t    2.100\t    2.000\t 83.333%\t 83.333%\t     0.000\t        1\t[net/Relu]

Number of nodes executed: 2
{BAR} Summary by node type {BAR}
\t             [Node type]\t  [count]\t  [avg ms]\t    [avg %]\t    [cdf %]\t  [mem KB]\t[times called]
\t                 CONV_2D\t        1\t     2.000\t    83.333%\t    83.333%\t     0.000\t        1
\t                 SOFTMAX\t        1\t     0.400\t    16.667%\t   100.000%\t     0.000\t        1

Timings (microseconds): count=40 first=2600 curr=2400 min=2390 max=2700 avg=2401 std=30
Memory (bytes): count=0
2 nodes observed


Average inference timings in us: Warmup: 3100, Init: 8100, Inference: 2500
"""  # noqa: E501 (as the tool prints it)
SECOND = FIRST.replace("[net/Relu]", "[net/Relu]:0").replace("[net/Softmax]", "[net/Softmax]:1")
SECOND = (
    SECOND[: SECOND.index("==")]
    + f"""\
Inference timings in us: Init: 8100, First inference: 3100, Warmup (avg): 3100, Inference (avg): 2500
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE
Memory footprint delta from the start of the tool (MB): init=8.97656 overall=18.7227
Profiling Info for Benchmark Initialization:
{BAR} Run Order {BAR}
\t             [node type]\t          [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t         AllocateTensors\t            0.000\t    9.900\t    9.900\t100.000%\t100.000%\t     0.000\t        1\tAllocateTensors/0
Timings (microseconds): count=1 curr=9900
1 nodes observed

Operator-wise Profiling Info for Regular Benchmark Runs:
"""  # noqa: E501 (as the tool prints it)
    + SECOND[SECOND.index(f"{BAR} Run") :]
)
# A delegate runs all: its own table comes behind the one of the graph.
DELEGATED = SECOND.replace("CONV_2D", "Convolution (NHWC, QU8) IGEMM").replace(
    "Loaded", "Created TensorFlow Lite XNNPACK delegate for CPU.\nLoaded"
)
PREFIXED = "\n".join(
    line if line.startswith(("\t", "=")) or not line else f"INFO: {line}"
    for line in SECOND.replace("\t            0.000\t", "\t")
    .replace("\t          [start]", "")
    .replace("\t            2.000\t", "\t")
    .splitlines()
).replace("INFO: count=40", "\x1b[AINFO: count=40")
LITERT_HEAD = """\
INFO: Graph: [model.tflite]
INFO: #threads used for CPU inference: [1]
VERBOSE: Replacing 1 out of 1 node(s) with delegate (TfLiteXNNPackDelegate) node.
INFO: The input model file size (MB): 0.001056
INFO: Initialized session in 8.1ms.
INFO: count=105 first=3100 curr=2473 min=2443 max=3100 avg=2465.3 std=18 p5=2459 median=2463 p95=2478

INFO: count=40 first=2600 curr=2459 min=2400 max=2900 avg=2500 std=50 p5=2410 median=2490 p95=2800

INFO: [./litert/tools/benchmark_litert_model.h:81]\x20
========== BENCHMARK RESULTS ==========
INFO: [./litert/tools/benchmark_litert_model.h:88] Inference (avg):      2.50 ms (40 runs)
INFO: [./litert/tools/benchmark_litert_model.h:114] Init footprint:       8.94 MB
INFO: [./litert/tools/benchmark_litert_model.h:114] Overall footprint:    18.72 MB

INFO: [./litert/tools/benchmark_litert_model.h:179]\x20
"""  # noqa: E501 (as the tool prints it)
LITERT = LITERT_HEAD + PREFIXED[PREFIXED.rindex(f"{BAR} Run") :].split("Timings")[0]
CSV_WITH_START = """\
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, QU8) IGEMM, 0, 2.1, 2, 83.3333%, 83.3333%, 0, 1, [net/Relu]:0
SOFTMAX, 2.0001, 0.5, 0.4, 16.6667%, 100%, 0, 1, [net/Softmax]:1
"""
CSV = """\
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, QU8) IGEMM, 2.1, 2, 83.3333%, 83.3333%, 0, 1, [net/Relu]:0
SOFTMAX, 0.5, 0.4, 16.6667%, 100%, 0, 1, [net/Softmax]:1

node type, count, avg_ms, avg %, cdf %, mem KB, times called
SOFTMAX, 1, 0.4, 16.6667%, 16.6667%, 0, 1
"""
WITH_CSV = SECOND[: SECOND.rindex(f"{BAR} Run")] + f"{BAR} Run Order {BAR}\n{CSV_WITH_START}"
IOS = "\n".join(
    f"2022-09-06 13:15:37.049363-0700 TFLiteBenchmark[54612:4020499] {line}"
    for line in SECOND.splitlines()
)
GENERATIONS = {
    "TF 1": FIRST,
    "2020": SECOND,
    "a delegate": DELEGATED,
    "INFO and an escape": PREFIXED,
    "LiteRT": LITERT,
    "CSV on standard output": WITH_CSV,
    "iOS": IOS,
    "Windows": SECOND.replace("\n", "\r\n"),
    "tabs made blanks": SECOND.replace("\t", "    "),
}


def written(folder: Path, text: str, name: str = "phone.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("text", GENERATIONS.values(), ids=GENERATIONS)
def test_every_generation_says_the_same(text: str, tmp_path: Path) -> None:
    found = read_recorded(written(tmp_path, text))
    assert (found.kind, found.runs, found.threads) == ("measured", 40, 1)
    assert Path(found.model).name == "model.tflite"
    assert (found.latency_ms.min, found.latency_ms.max) == (2.4, 2.9)
    assert found.latency_ms.median in {2.5, 2.49}
    assert (found.load_ms, found.first_ms) == (8.1, 3.1)
    first, second, rest = found.ops
    assert (first.index, first.ms, first.name) == (0, 2.0, "net/Relu")
    assert (second.index, second.op, second.ms) == (1, "SOFTMAX", 0.4)
    assert (rest.index, rest.kernel) == (-1, "overhead")
    assert sum(op.share for op in found.ops) == pytest.approx(1)


def test_a_record_is_a_profile_like_any_other(tmp_path: Path) -> None:
    found = read_recorded(written(tmp_path, LITERT))
    assert from_json(Profile, to_json(found), "the profile") == found
    assert found.on == str(tmp_path / "phone.txt")


def test_a_mean_is_not_passed_off_as_a_median(tmp_path: Path) -> None:
    old = read_recorded(written(tmp_path, SECOND))
    assert "gave a mean and no median" in old.notes[0]
    assert "at most 0.05 ms from it" in old.notes[0]
    assert (old.latency_ms.p5, old.latency_ms.p95) == (2.4, 2.9)
    found = read_recorded(written(tmp_path, LITERT))
    assert found.runtime == "benchmark_model (LiteRT)"
    assert found.notes[0] == "benchmark_model (LiteRT) gave no p99: the max stands there."
    assert (found.latency_ms.p5, found.latency_ms.median) == (2.41, 2.49)
    assert found.latency_ms.p95 == pytest.approx(2.8)
    assert any("added 18.7 MB" in note for note in found.notes)


def test_size_and_delegate_are_read(tmp_path: Path) -> None:
    found = read_recorded(written(tmp_path, LITERT))
    assert found.bytes == 1056
    on_gpu = SECOND.replace(
        "STARTING!", "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
    )
    assert read_recorded(written(tmp_path, on_gpu)).delegate == "cpu"
    on_gpu += "\nExplicitly applied GPU delegate, and the model graph will be executed by it.\n"
    assert read_recorded(written(tmp_path, on_gpu)).delegate == "gpu"


def test_the_last_line_alone_is_enough(tmp_path: Path) -> None:
    text = "Average inference timings in us: Warmup: 83235, Init: 38467, Inference: 79760.9\n"
    found = read_recorded(written(tmp_path, text))
    assert found.latency_ms.median == pytest.approx(79.7609)
    assert found.load_ms == pytest.approx(38.467)
    assert any("says nothing of: first run" in note for note in found.notes)


@pytest.mark.parametrize("text", [CSV, CSV_WITH_START], ids=["without start", "with start"])
def test_a_table_alone_gives_the_operators(text: str, tmp_path: Path) -> None:
    found = read_recorded(written(tmp_path, text, "ops.csv"))
    assert [op.op for op in found.ops] == ["Convolution (NHWC, QU8) IGEMM", "SOFTMAX", ""]
    assert found.latency_ms.median == pytest.approx(2.4)
    assert found.notes == (
        "The file has a table of operators alone; the latency is their sum.",
    )


def litert_document() -> dict[str, Any]:
    return {
        "model": "model.tflite",
        "model_size_mb": 1.5,
        "accelerators": ["CPU"],
        "num_threads": 4,
        "latency": {
            "init_ms": 8.1,
            "warmup_first_ms": 3.1,
            "num_warmup_runs": 5,
            "avg_ms": 2.5,
            "min_ms": 2.4,
            "max_ms": 2.9,
            "median_ms": 2.49,
            "std_ms": 0.05,
            "p5_ms": 2.41,
            "p95_ms": 2.8,
            "num_runs": 40,
        },
    }


def test_litert_benchmark_is_read(tmp_path: Path) -> None:
    found = read_recorded(written(tmp_path, json.dumps(litert_document()), "r.json"))
    assert (found.runtime, found.runs, found.threads) == ("litert-benchmark", 40, 4)
    assert (found.bytes, found.delegate, found.load_ms) == (1_500_000, "cpu", 8.1)
    assert found.latency_ms.median == 2.49


def test_output_of_a_windows_shell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.txt"
    path.write_bytes(SECOND.encode("utf-16"))
    assert read_recorded(path).runs == 40


def test_the_device_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, SECOND)
    assert (
        read_recorded(path, target="raspberry-pi-4").machine.board == "Raspberry Pi 4 Model B"
    )
    with pytest.raises(UnknownName):
        read_recorded(path, target="toaster")


def without(name: str) -> str:
    document = litert_document()
    del document["latency"][name]
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "no recorded measurement", id="empty"),
        pytest.param("Hello", "no recorded measurement", id="another text"),
        pytest.param("count=0\n", "no time of a run", id="no runs"),
        pytest.param(FIRST.partition("count=40")[0], "no time of a run", id="cut off"),
        pytest.param("{", "not valid JSON", id="damaged JSON"),
        pytest.param("{}", "without `latency`", id="another JSON"),
        pytest.param(
            without("median_ms"), "latency.median_ms must be", id="JSON lacks a field"
        ),
    ],
)
def test_what_is_no_record_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_recorded(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*none\.txt: No such file"):
        read_recorded(tmp_path / "none.txt")


@given(
    text=st.lists(
        st.sampled_from([line for each in GENERATIONS.values() for line in each.splitlines()])
        | st.text(max_size=40)
    ).map("\n".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    if is_benchmark_model(text):
        try:
            found = read_benchmark_model(text, "text")
        except InputError:
            return
        assert found.mean_ms > 0


@given(
    kinds=st.lists(
        st.sampled_from(["CONV_2D", "Convolution (NHWC, F32) DWConv", "TfLiteXNNPackDelegate"])
    ),
    ms=st.floats(0, 1e6),
)
def test_rows_keep_their_order_and_time(kinds: list[str], ms: float) -> None:
    head = "\t[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[Name]"
    rows = [
        f"\t{kind}\t1.0\t{ms:.3f}\t1%\t1%\t0.0\t1\t[a, b]:{i}" for i, kind in enumerate(kinds)
    ]
    found = read_operators([head, *rows], None)
    assert [(op.op, op.index, op.name) for op in found] == [
        (kind, i, "a, b") for i, kind in enumerate(kinds)
    ]
    assert all(op.ms == pytest.approx(ms, abs=1e-3) for op in found)
