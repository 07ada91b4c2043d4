"""An archive is its files and nothing else: no times, no owners, no order."""

import os
import random
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.archive import Entry, write_zip

NAMES = st.text("abc/", min_size=1, max_size=8).map(lambda text: f"x{text}")


@given(files=st.dictionaries(NAMES, st.binary(max_size=99)), dice=st.randoms())
def test_the_order_of_the_files_does_not_matter(
    files: dict[str, bytes], dice: random.Random
) -> None:
    entries = [Entry(name, content) for name, content in files.items()]
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder, "1.zip"), Path(folder, "2.zip")
        write_zip(one, entries)
        dice.shuffle(entries)
        write_zip(two, entries)
        assert one.read_bytes() == two.read_bytes()
        with zipfile.ZipFile(one) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == files


def test_the_times_and_rights_of_a_file_do_not_matter(tmp_path: Path) -> None:
    source, one, two = (tmp_path / name for name in ("source", "1.zip", "2.zip"))
    source.write_bytes(b"content")
    write_zip(one, [Entry("file", source)])
    os.utime(source, (10**9, 10**9))
    source.chmod(0o600)
    write_zip(two, [Entry("file", source)])
    assert one.read_bytes() == two.read_bytes()


def test_programs_can_be_executed_where_they_are_unpacked(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [Entry("run.sh", b"#!", executable=True), Entry("x", b"")])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        rights = {each.filename: each.external_attr >> 16 for each in archive.infolist()}
    assert rights == {"run.sh": 0o100755, "x": 0o100644}


def test_wheels_are_not_packed_again(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [Entry("a.whl", bytes(999)), Entry("a.txt", bytes(999))])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        sizes = {each.filename: each.compress_size for each in archive.infolist()}
    assert sizes["a.whl"] == 999
    assert sizes["a.txt"] < 99
