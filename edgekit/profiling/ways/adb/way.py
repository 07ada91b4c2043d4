"""Measure on an Android device with Google's benchmark_model.

Phones run no Python: the model and the program are pushed, the program measures, its output
is read. The program stays there for the next time, everything else goes.
"""

import contextlib
import os
import re
import secrets
import shlex
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.bundle.fit import open_candidates
from edgekit.errors import (
    CrashError,
    DeviceError,
    InputError,
    MissingExtra,
    TargetError,
    UsageError,
)
from edgekit.files import cache_dir
from edgekit.measure import Machine, sha256
from edgekit.profiling.profile import Profile
from edgekit.profiling.recorded.benchmark_model import (
    TOOL,
    is_benchmark_model,
    read_benchmark_model,
)
from edgekit.profiling.recorded.recording import unknown_machine
from edgekit.profiling.ways.adb.client import Done, Phone
from edgekit.profiling.ways.address import Address
from edgekit.profiling.ways.errand import Errand
from edgekit.progress import track

VARIABLE = "EDGEKIT_BENCHMARK_MODEL"
_HOME = "/data/local/tmp/edgekit"
_FLAGS = {"cpu": (), "gpu": ("--use_gpu=true",), "nnapi": ("--use_nnapi=true",)}
_WHERE = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/"
    "tools/nightly/latest/android_{name}_benchmark_model"
)
_ABIS = {"arm64-v8a": "aarch64", "armeabi-v7a": "arm", "x86_64": "x86_64", "x86": "x86"}
_NO_SPACE = ("No space left", "Disk quota")
_SIGNALS = {128 + each.value: each.name for each in signal.Signals}
_LAST_WORDS = 8
# What a phone is asked about itself: name of a field -> command.
_ASK = {
    "board": "getprop ro.product.manufacturer; getprop ro.product.model",
    "cpu": "getprop ro.soc.model",
    "arch": "getprop ro.product.cpu.abi",
    "os": "getprop ro.build.version.release",
    "kernel": "uname -r",
    "cores": "cat /sys/devices/system/cpu/present",
    "memory": "cat /proc/meminfo",
    "governor": "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "heat": "cat /sys/class/thermal/thermal_zone0/temp",
    "load": "cat /proc/loadavg",
}
_MARK = "edgekit-next"


def measure(address: Address, errand: Errand) -> tuple[Profile, ...]:
    """Measure the models on the device, one after the other.

    Raises:
        InputError: A file is no model, or the interpreter crashed on it there.
        UsageError: An option that benchmark_model does not have.
        TargetError: The device lacks space, or has another kind of processor.
        MissingExtra: There is no adb here, or no benchmark_model.
        DeviceError: The device cannot be reached, or went away.
    """
    flags = _flags(errand.arguments)
    open_candidates([*errand.files])
    phone = Phone(address)
    before = _machine(phone)
    program = _give_program(phone, errand, before.arch)
    found = tuple(
        replace(_measure(phone, program, flags, path), machine=before, on=address.text)
        for path in track(errand.files, f"Measuring on {address.text}", len(errand.files))
    )
    after = _machine(phone).temperature_c
    return tuple(replace(each, temperature_after_c=after) for each in found)


def _flags(wishes: Mapping[str, Any]) -> list[str]:
    """The options of benchmark_model for those of `profile`.

    Raises:
        UsageError: There is no such option.
    """
    delegate = wishes.get("delegate") or "cpu"
    if delegate not in _FLAGS:
        msg = f"benchmark_model knows no delegate '{delegate}'. Known: {', '.join(_FLAGS)}."
        raise UsageError(msg)
    if (
        wishes.get("backend", "auto") != "auto"
        or wishes.get("settings")
        or wishes.get("seconds")
    ):
        msg = (
            "A phone is measured with benchmark_model: --backend, --sweep and --seconds are "
            "for machines that run edgekit.\nLeave them out, or try --threads one by one."
        )
        raise UsageError(msg)
    flags = [*_FLAGS[delegate]]
    if wishes.get("threads"):
        flags.append(f"--num_threads={wishes['threads']}")
    if wishes.get("runs"):
        flags += [f"--num_runs={wishes['runs']}", "--min_secs=0"]
    if "warmup_s" in wishes:
        flags.append(f"--warmup_min_secs={wishes['warmup_s'] / 4:g}")
    if wishes.get("operators"):
        # TFLite's and LiteRT's; each warns of the other's.
        flags += ["--enable_op_profiling=true", "--use_profiler=true"]
    return flags


def _machine(phone: Phone) -> Machine:
    """Ask the device about itself; what it does not say is None."""
    script = f"; echo {_MARK}; ".join(_ASK.values())
    answers = phone.shell(f"({script}) 2>/dev/null").text.split(_MARK)
    said = dict(zip(_ASK, (each.strip() for each in answers), strict=False))
    memory = next(
        (line.split()[1] for line in said.get("memory", "").splitlines() if "MemTotal" in line),
        "",
    )
    heat, load = said.get("heat", ""), said.get("load", "").split()
    return replace(
        unknown_machine(" ".join(said.get("board", "").split()) or None),
        cpu=said.get("cpu") or None,
        arch=said.get("arch") or "unknown",
        os=f"Android {said.get('os') or ''}".strip(),
        kernel=said.get("kernel") or "unknown",
        cores=_cores(said.get("cores", "")),
        memory_mb=round(int(memory) / 1024, 1) if memory.isdigit() else None,
        governor=said.get("governor") or None,
        temperature_c=int(heat) / 1000 if heat.isdigit() else None,
        load=float(load[0]) if load and load[0].replace(".", "", 1).isdigit() else None,
    )


def _cores(present: str) -> int:
    """The number of cores of a range as `0-7`; 0 where nobody says."""
    last = present.rpartition("-")[2]
    return int(last) + 1 if last.isdigit() else 0


def _give_program(phone: Phone, errand: Errand, abi: str) -> str:
    """See that benchmark_model is on the device, and return its place there.

    Raises:
        MissingExtra: It is not on this machine.
        TargetError: The device lacks space.
    """
    program = _find_program(errand.benchmark_model, abi)
    place = f"{_HOME}/{TOOL}-{sha256(program)[:16]}"
    if "yes" in phone.shell(f"[ -x {place} ] && echo yes").text:
        return place
    phone.shell(f"mkdir -p {_HOME}")
    part = f"{place}.part-{secrets.token_hex(4)}"
    _see_that_it_is_there(phone, phone.push(program, part), program)
    phone.shell(f"chmod 755 {part} && mv {part} {place}")
    return place


def _find_program(named: Path | None, abi: str) -> Path:
    """Return benchmark_model for a kind of processor.

    Raises:
        InputError: What was named does not exist.
        MissingExtra: There is none.
    """
    said = named or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if said is not None:
        if not said.is_file():
            msg = f"There is no benchmark_model {said}."
            raise InputError(msg)
        return said
    kept = cache_dir() / "benchmark_model" / abi / TOOL
    if kept.is_file():
        return kept
    where = _WHERE.format(name=_ABIS.get(abi, "aarch64"))
    msg = (
        f"A phone is measured with Google's benchmark_model, and there is none for {abi}.\n"
        f"Download {where}\nand keep it as {kept}, or name it with --benchmark-model."
    )
    raise MissingExtra(msg)


def _measure(phone: Phone, program: str, flags: list[str], path: Path) -> Profile:
    """Push a model, measure it, and remove it."""
    job = f"{_HOME}/job-{secrets.token_hex(4)}"
    model = f"{job}/model.tflite"
    phone.shell(f"mkdir -p {job}")
    try:
        _see_that_it_is_there(phone, phone.push(path, model), path)
        command = shlex.join([program, f"--graph={model}", *flags])
        # Who comes back knows what to end; old devices say no exit code but in the text.
        command = f"(echo $$ >{job}/pid; exec {command}) 2>&1; echo {_MARK}=$?"
        done = phone.shell(f"sh -c {shlex.quote(command)}", timeout_s=None)
    finally:
        with contextlib.suppress(DeviceError):  # the first error is the one to tell
            phone.shell(f"kill -9 $(cat {job}/pid) 2>/dev/null; rm -rf {job}")
    ended = re.search(rf"{_MARK}=(\d+)\n?", done.text)
    if ended is None:
        raise phone.gone(doing=f"profiling {path.name}")
    text = done.text.replace(ended[0], "")
    _see_that_it_measured(phone, Done(int(ended[1]), text), path, program)
    found = read_benchmark_model(text, f"The output of {TOOL} on {phone.address.text}")
    measured = replace(found, model=str(path), bytes=path.stat().st_size)
    return measured.profile(phone.address.text, unknown_machine())


def _see_that_it_is_there(phone: Phone, done: Done, file: Path) -> None:
    """Turn a failed push into an error.

    Raises:
        TargetError: The device lacks space.
        DeviceError: It went away.
    """
    if done.code == 0:
        return
    if any(each in done.text for each in _NO_SPACE):
        msg = (
            f"There is not enough space on {phone.address.text} for {file.name} "
            f"({file.stat().st_size / 2**20:.1f} MiB) in {_HOME}.\nMake room there."
        )
        raise TargetError(msg)
    raise phone.gone(doing=f"{file.name} was sent")


def _see_that_it_measured(phone: Phone, done: Done, path: Path, program: str) -> None:
    """Turn a failed run into an error.

    Raises:
        CrashError: The program died.
        TargetError: It is for another processor.
    """
    if done.code == 0 and is_benchmark_model(done.text):
        return
    lines = [line for line in done.text.splitlines() if line.strip()]
    words = "".join(f"\n  | {line}" for line in lines[-_LAST_WORDS:])
    where = phone.address.text
    if "Exec format error" in done.text or "not executable" in done.text:
        phone.shell(f"rm -f {program}")
        msg = f"{TOOL} is for another processor than that of {where}.\nIt says:{words}"
        raise TargetError(msg)
    how = f"died from {_SIGNALS[done.code]}" if done.code in _SIGNALS else f"code {done.code}"
    msg = (
        f"{TOOL} could not run {path.name} on {where} ({how}). Its interpreter may be too old "
        f"for the model, or the model is damaged.\nIt says:{words}"
    )
    raise CrashError(msg)
