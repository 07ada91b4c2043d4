"""What may not be in the repository: large files, names of machines, words of haste."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KIB = 1024
MODELS = "demos/edgekit_demos/models/"
# Written apart, so that this file does not hold them itself.
BANNED = {
    "folder of a machine": re.compile(r"/(?:work|root|home/(?!me\b|pi\b)\w+)/", re.ASCII),
    "word of haste": re.compile(
        r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b"
    ),
    "registry's host": re.compile("|".join(["pypi" + r"\.org", "files.python" + "hosted"])),
    "conflict mark": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def test_no_file_is_large() -> None:
    sizes = {name: (ROOT / name).stat().st_size / KIB for name in tracked()}
    limits = {name: 700 if name.startswith(MODELS) else 300 for name in sizes}
    assert [name for name in sizes if sizes[name] > limits[name]] == []


@pytest.mark.parametrize("what", BANNED)
def test_no_text_holds_a_banned_word(what: str) -> None:
    found = []
    for name in tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and BANNED[what].search(content.decode()):
            found.append(name)
    assert found == []


def test_every_text_ends_with_one_line_end() -> None:
    texts = {name: (ROOT / name).read_bytes() for name in tracked()}
    assert [
        name
        for name, content in texts.items()
        if content and b"\0" not in content and not re.search(rb"[^\n]\n\Z", content)
    ] == []


def test_scripts_can_be_executed() -> None:
    scripts = [name for name in tracked() if (ROOT / name).read_bytes().startswith(b"#!")]
    assert [name for name in scripts if not (ROOT / name).stat().st_mode & 0o100] == []
