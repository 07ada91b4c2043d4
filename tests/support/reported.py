"""Small documents of every kind that a report shows, made from the records themselves."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from edgekit.inspection import Inspection, Op
from edgekit.measure import Machine, Summary
from edgekit.profiling.calibration.device import Calibrated
from edgekit.profiling.diff import Difference, ProfileDiff
from edgekit.profiling.estimate import Doubt, Estimate
from edgekit.profiling.perop.records import OVERHEAD, Hint, OpTime, PerOp
from edgekit.profiling.profile import Profile
from edgekit.profiling.records import Moment, Setting, Sustained, Sweep
from edgekit.profiling.ways.fleet import Fleet, Visit
from edgekit.records import to_json
from edgekit.report import write_report

Document = dict[str, Any]

PI_4 = Machine(
    board="Raspberry Pi 4",
    cpu="Cortex-A72",
    arch="aarch64",
    os="Debian GNU/Linux 12",
    kernel="6.6",
    python="3.11",
    cores=4,
    memory_mb=3800.0,
    governor="performance",
    temperature_c=50.0,
    throttled=(),
    load=0.1,
)


def summary(median: float) -> Summary:
    """A narrow distribution around a median."""
    factors = {"min": 0.9, "p5": 0.95, "median": 1.0, "p95": 1.2, "p99": 1.5, "max": 2.0}
    return Summary(**{key: median * factor for key, factor in factors.items()})


def profile(model: str = "out/cat.tflite", median: float = 1.25, **more: Any) -> Profile:
    """What `profile` measured on a Raspberry Pi 4."""
    values: dict[str, Any] = {
        "model": model,
        "bytes": 98_496,
        "latency_ms": summary(median),
        "runs": 812,
        "warmup_runs": 10,
        "threads": 2,
        "runtime": "ai-edge-litert 2.3.0",
        "delegate": "cpu",
        "load_ms": 3.0,
        "first_ms": 2.0,
        "peak_rss_mb": 50.0,
        "arena_mb": 0.5,
        "interleaved_with": (),
        "ops": (),
        "machine": PI_4,
        "temperature_after_c": 52.0,
        "notes": (),
    }
    return Profile(**(values | more))


def per_op() -> Profile:
    """A profile with three operators, one of which the delegate leaves alone."""
    ops = (
        OpTime(index=0, op="CONV_2D", kernel="IGEMM", ms=0.75, share=0.6, delegated=True),
        OpTime(index=1, op="GATHER", kernel="Gather", ms=0.375, share=0.3, delegated=False),
        OpTime(index=OVERHEAD, op="overhead", kernel="", ms=0.125, share=0.1),
    )
    hint = Hint(code="not-delegated", ops=(1,), share=0.3, text="GATHER is slow; leave it out.")
    about = PerOp(
        method="cut",
        runtime="ai-edge-litert 2.3.0",
        threads=2,
        runs=40,
        whole_ms=1.25,
        ops_ms=1.125,
        overhead_ms=0.125,
        difference=-0.02,
        partitions=None,
        roof=None,
        hints=(hint,),
        notes=(),
    )
    return profile(ops=ops, per_op=about)


def thorough() -> Profile:
    """A profile with a sweep over threads and a long run that gets slower."""
    tried = tuple(
        Setting(
            threads=threads,
            delegate=delegate,
            runs=50,
            latency_ms=summary(slow / threads),
            first_ms=3.0,
        )
        for delegate, slow in (("cpu", 4.0), ("builtin", 8.0))
        for threads in (1, 2, 4)
    )
    curve = tuple(
        Moment(
            t_s=60.0 * n,
            runs=100,
            median_ms=1.0 + 0.1 * n,
            p95_ms=1.2 + 0.1 * n,
            temperature_c=50.0 + 3 * n,
            clock_mhz=1500.0,
            throttled=(),
        )
        for n in range(1, 6)
    )
    found = Sweep(settings=tried, recommended=tried[2], skipped=("gpu, 1 threads: no GPU",))
    long = Sustained(
        seconds=300.0,
        runs=500,
        curve=curve,
        slowdown=0.36,
        hottest_c=65.0,
        notes=("It is hot.",),
    )
    return profile(sweep=found, sustained=long)


def estimate(kind: Any = "estimated", target: str = "raspberry-pi-3", **more: Any) -> Estimate:
    """What `estimate` tells of the same model elsewhere."""
    values: dict[str, Any] = {
        "kind": kind,
        "model": "out/cat.tflite",
        "target": target,
        "latency_ms": 30.0,
        "low_ms": 25.0,
        "high_ms": 40.0,
        "coverage": None,
        "runtime": "TFLite 2.5",
        "threads": 4,
        "uncovered": (Doubt(index=3, op="GATHER", reason="it was not timed"),),
        "undelegated": (),
        "uncovered_share": 0.1,
        "method": "published times of other models (2021-05), by MACs",
        "sources": ("https://example.org/times",),
        "notes": (),
    }
    return Estimate(**(values | more))


def inspection(*places: str) -> Inspection:
    """What `inspect --target coral-usb` says of operators in these places."""
    ops = tuple(
        Op(
            index=index,
            op="CONV_2D",
            version=3,
            placement=place,
            reason=f"because it is {place}",
            macs=100,
            weight_bytes=10,
            output=(1, 8),
            dtype="int8",
        )
        for index, place in enumerate(places)
    )
    return Inspection(
        model="out/cat.coral-usb.tflite",
        bytes=1000,
        inputs=(),
        outputs=(),
        fully_integer=True,
        float_islands=(),
        ops=ops,
        target="coral-usb",
        summary={},
        macs=300,
        weight_bytes=30,
        subgraphs=1,
        warnings=("The batch is left open.",),
        manifest=None,
    )


def pruning(amount: str, left: float, **more: Any) -> Document:
    """What `prune --json` prints, reduced to the keys that the report reads."""

    def side(share: float) -> Document:
        return {
            "parameters": int(1000 * share),
            "nonzero": int(1000 * share),
            "macs": int(50_000 * share),
            "bytes": int(4000 * share),
            "gzip_bytes": int(3600 * share),
            "latency_ms": to_json(summary(2.0 * share)),
            "int8_bytes": None,
            "metric": "accuracy",
            "value": 0.8 + 0.1 * share,
        }

    document = {"path": f"small{amount}.keras", "source": "cat.keras", "method": "channels"}
    return {**document, "amount": amount, "before": side(1.0), "after": side(left), **more}


def difference() -> ProfileDiff:
    """What `profile-diff` says of a model that became slower."""
    one = Difference(
        model="cat.tflite",
        old_ms=summary(1.0),
        new_ms=summary(1.3),
        change_pct=30.0,
        fast_change_pct=28.0,
        noise_pct=2.5,
        verdict="slower",
        notes=(),
    )
    return ProfileDiff(change_pct=30.0, verdict="slower", models=(one,), notes=())


def calibrated() -> Calibrated:
    """What `calibrate-device` says of its law."""
    return Calibrated(
        path="raspberry-pi-4.toml",
        target="raspberry-pi-4",
        device="Raspberry Pi 4 Model B",
        runtime="ai-edge-litert 2.3.0",
        threads=(4,),
        ops_timed=391,
        nets_timed=62,
        error_within_10pct=0.87,
        median_error=0.041,
        low=0.85,
        high=1.2,
        coverage=0.9,
        notes=(),
    )


def fleet() -> Fleet:
    """Two devices, one of which cannot be reached."""
    kitchen = Visit(
        name="kitchen", on="ssh://pi@kitchen", profiles=(profile(),), error=None, exit_code=0
    )
    attic = Visit(
        name="attic", on="ssh://pi@attic", profiles=(), error="Host is down.", exit_code=7
    )
    return Fleet(devices=(kitchen, attic), failed=1)


class Reader(HTMLParser):
    """Collects what a browser would see, and checks that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.seen.add(tag)
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self.addresses += [value or "" for key, value in attrs if key in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the one that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words += data

    def of(self, tag: str, look: str = "") -> list[dict[str, str]]:
        """Return the attributes of all elements of a kind, with a class."""
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and (not look or look in attributes.get("class", "").split())
        ]


def write_page(folder: Path, *documents: Any) -> Path:
    """Write records or documents to files, and the page of them all."""
    paths = []
    for number, each in enumerate(documents):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(to_json(each)))
    write_report(paths, folder / "report.html")
    return folder / "report.html"


def page_of(folder: Path, *documents: Any) -> Reader:
    """Make the page of documents and read it."""
    return Reader(write_page(folder, *documents).read_text(encoding="utf-8"))
