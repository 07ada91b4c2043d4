"""Write the page: sections, each made from the documents that have something for it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.files import atomic_write
from edgekit.measure import library_versions
from edgekit.report import (
    latency,
    operators,
    overview,
    placement,
    provenance,
    pruning,
    settings,
)
from edgekit.report.documents import Gathered, gather
from edgekit.report.markup import Markup, join, page, tag

# The sections of the page; each is empty where the documents have nothing for it.
ORDER: tuple[Callable[[Gathered], Markup], ...] = (
    overview.sizes,
    overview.accuracy,
    overview.targets,
    latency.latency,
    operators.operators,
    settings.sweeps,
    settings.sustained,
    latency.changes,
    latency.calibrations,
    placement.placement,
    pruning.pruning,
    overview.warnings,
    provenance.methods,
    provenance.repeat,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A page that was written.

    Attributes:
        path: The page.
        bytes: Its size.
        documents: How many JSON files it was made from.
        artifacts: How many artifacts it shows.
        latencies: How many latency records it shows.
    """

    path: str
    bytes: int
    documents: int
    artifacts: int
    latencies: int


def write_report(run_json_paths: Sequence[Path], out_path: Path) -> Report:
    """Write one HTML page that needs no network and no other file.

    Args:
        run_json_paths: The run.json of `convert`, or what other commands print with
            `--json`, in any number and order.
        out_path: The page.

    Raises:
        UsageError: There are no files, or the page would overwrite one of them.
        RecordError: A file is not what an edgekit command writes.
    """
    if not run_json_paths:
        msg = "A report needs at least one run.json."
        raise UsageError(msg)
    if os.path.realpath(out_path) in map(os.path.realpath, run_json_paths):
        msg = f"The report would overwrite {out_path}, which it is made from; name another -o."
        raise UsageError(msg)
    found = gather(run_json_paths)
    parts = [make(found) for make in ORDER]
    version = library_versions(["edgekit"]).get("edgekit", "")
    files = ", ".join(path.name for path in run_json_paths)
    head = join(tag("h1", overview.title(found)), tag("p", f"Made from {files}.", cls="lead"))
    foot = tag("p", f"edgekit {version}".strip(), cls="lead")
    content = page(overview.title(found), head, *parts, foot)
    atomic_write(out_path, content)
    return Report(
        path=str(out_path),
        bytes=len(content.encode()),
        documents=len(run_json_paths),
        artifacts=len(found.artifacts),
        latencies=len(found.latencies),
    )
