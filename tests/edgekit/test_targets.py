"""Every file in targets/ loads and says where its numbers come from."""

import re
from pathlib import Path

import pytest

from edgekit.errors import RecordError, UnknownName
from edgekit.placement import version_table
from edgekit.targets import Target, load_target, target_names, targets_dir

WANTED = {
    "android": ("cpu", "int8", "uint8"),
    "android-gpu": ("gpu", "float16", "float32"),
    "coral-dev-board": ("edgetpu", "int8", "int8"),
    "coral-dev-board-mini": ("edgetpu", "int8", "int8"),
    "coral-usb": ("edgetpu", "int8", "int8"),
    "ethos-u55-128": ("npu", "int8", "int8"),
    "ethos-u65-256": ("npu", "int8", "int8"),
    "host": ("cpu", "int8", "float32"),
    "ios": ("cpu", "int8", "float32"),
    "raspberry-pi-3": ("cpu", "int8", "float32"),
    "raspberry-pi-32bit": ("cpu", "int8", "float32"),
    "raspberry-pi-4": ("cpu", "int8", "float32"),
    "raspberry-pi-5": ("cpu", "int8", "float32"),
    "raspberry-pi-zero-2w": ("cpu", "int8", "float32"),
    "web": ("cpu", "int8", "float32"),
}


def _own(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A file of one's own: that of the Raspberry Pi 4 with pieces replaced."""
    text = (targets_dir() / "raspberry-pi-4.toml").read_text()
    for before, after in changes:
        assert re.search(before, text), before
        text = re.sub(before, after, text)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_the_promised_targets_are_there() -> None:
    assert target_names() == sorted(WANTED)


@pytest.mark.parametrize("name", target_names())
def test_a_profile_loads_and_has_the_type_of_io_that_its_runtime_wants(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert (target.delegate, target.scheme, target.io) == WANTED[name]


@pytest.mark.parametrize("name", target_names())
def test_each_number_and_each_runtime_has_a_public_source(name: str) -> None:
    target = load_target(name)
    numbers = [n for n in ("cores", "threads", "ram_mb", "memory_mb") if getattr(target, n)]
    assert target.sources.keys() >= {*numbers, "runtime"}


@pytest.mark.parametrize("name", target_names())
def test_a_model_gets_less_than_the_memory_of_the_device(name: str) -> None:
    target = load_target(name)
    if target.ram_mb is not None and target.memory_mb is not None:
        assert target.memory_mb < target.ram_mb


@pytest.mark.parametrize("name", target_names())
def test_every_target_names_the_table_of_its_own_runtime_or_of_its_compiler(name: str) -> None:
    table = version_table(load_target(name).op_versions)
    runtime = load_target(name).runtime
    assert not table.complete or table.title.startswith(f"{runtime.package} {runtime.version}")


def test_every_field_is_explained_in_the_readme() -> None:
    text = (targets_dir() / "README.md").read_text()
    assert [
        name for name in Target.__slots__ if name != "name" and f"`{name}`" not in text
    ] == [
        "runtime",
        "sources",
    ]
    assert "[npu]" in text
    assert "[runtime]" in text
    assert "[sources]" in text


def test_a_toml_path_works_wherever_a_name_does(tmp_path: Path) -> None:
    target = load_target(str(_own(tmp_path, ("threads = 4", "threads = 2"))))
    assert (target.name, target.threads) == ("mine", 2)


def test_an_unknown_name_lists_the_known_ones_and_tells_of_files() -> None:
    with pytest.raises(UnknownName, match=r"Known: android,.*raspberry-pi-4.*\n.*TOML"):
        load_target("toaster")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param("title = .*", "", "lacks title", id="missing field"),
        pytest.param("threads", "treads", "unknown treads", id="mistyped field"),
        pytest.param(
            'delegate = "cpu"', 'delegate = "dsp"', "delegate must be one of cpu", id="value"
        ),
        pytest.param('delegate = "cpu"', 'delegate = "npu"', "has a table .npu.", id="no npu"),
        pytest.param(
            "\nop_versions", '\nio_choices = ["int8"]\nop_versions', "leaves out", id="io"
        ),
        pytest.param("cores = 4", 'cores = "four"', "cores must be", id="type"),
        pytest.param("cores = 4", "cores = 0", "cores must be above 0", id="zero"),
        pytest.param(
            '\nram_mb = "https.*', "", "no source for ram_mb", id="number without source"
        ),
        pytest.param('cores = "https', 'cores = "ftp', "https address", id="no public source"),
        pytest.param(
            '\nruntime = "https',
            '\nkernels = "https',
            "kernels, which is no field",
            id="source of nothing",
        ),
        pytest.param("title", 'name = "x"\ntitle', "the file's: mine", id="name inside"),
        pytest.param("title = ", "title = = ", "not valid TOML", id="no TOML"),
    ],
)
def test_a_defect_is_refused_with_its_name(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    with pytest.raises(RecordError, match=words):
        load_target(str(_own(tmp_path, (before, after))))


def test_a_missing_file_is_said() -> None:
    with pytest.raises(RecordError, match=r"Cannot read nowhere\.toml"):
        load_target("nowhere.toml")
