import io
import stat
import zipfile
from pathlib import Path

import pytest

from unet_core.data import archive


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in files.items():
            opened.writestr(zipfile.ZipInfo(name), content, method)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_files_and_folders_come_out_unchanged(tmp_path: Path, into: Path) -> None:
    seen = []
    files = {"a/b/c.txt": b"1", "a/d.txt": b"22", "e.txt": b""}
    archive.unpack_zip(
        zipped(tmp_path / "x.zip", files), into, on_progress=lambda *step: seen.append(step)
    )
    assert {p.relative_to(into).as_posix(): p.read_bytes() for p in into.rglob("*.txt")} == files
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a\\..\\x", "C:x"])
def test_a_path_that_leads_outside_is_refused_before_anything_is_written(
    tmp_path: Path, into: Path, name: str
) -> None:
    path = zipped(tmp_path / "x.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(ValueError, match=r"x.zip holds a path that leads outside"):
        archive.unpack_zip(path, into)
    assert list(into.iterdir()) == []


def test_a_link_is_refused(tmp_path: Path, into: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match=r"holds a link instead of a file: 'link'"):
        archive.unpack_zip(tmp_path / "x.zip", into)


def test_a_bomb_is_refused_by_its_size_and_by_its_number_of_files(
    tmp_path: Path, into: Path
) -> None:
    path = zipped(tmp_path / "x.zip", {"zeros": bytes(3_000_000)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"must unpack to at most 2 MB, got 3"):
        archive.unpack_zip(path, into, most_bytes=2_000_000)
    many = zipped(tmp_path / "y.zip", {str(number): b"" for number in range(6)})
    with pytest.raises(ValueError, match=r"must hold at most 5 files, got 6"):
        archive.unpack_zip(many, into, most_files=5)
    assert list(into.iterdir()) == []


def test_a_bomb_that_lies_about_its_size_unpacks_no_more_than_it_declares(
    tmp_path: Path, into: Path
) -> None:
    path = zipped(tmp_path / "x.zip", {"zeros": bytes(3_000_000)}, zipfile.ZIP_DEFLATED)
    size = (3_000_000).to_bytes(4, "little")
    content = path.read_bytes()
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"x.zip cannot be unpacked: Bad CRC-32"):
        archive.unpack_zip(path, into, most_bytes=2_000_000)
    assert sum(file.stat().st_size for file in into.iterdir()) <= 1000


def test_a_password_is_refused(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a": b"1"})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x.zip is protected by a password"):
        archive.unpack_zip(path, into)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "./a"), ("a", "a/b"), ("a/b", "a"), ("a", ".")]
)
def test_the_same_file_twice_is_refused(tmp_path: Path, into: Path, names) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        for name in names:
            opened.writestr(name, "1")
    with pytest.raises(ValueError, match=r"x.zip holds '.*' twice"):
        archive.unpack_zip(tmp_path / "x.zip", into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_packing_is_refused(tmp_path: Path, into: Path, packing: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", packing) as opened:
        opened.writestr("a", "1")
    with pytest.raises(ValueError, match=r"x.zip is packed in an unusual way"):
        archive.unpack_zip(tmp_path / "x.zip", into)


def test_no_zip_a_cut_zip_and_a_damaged_zip_are_refused(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "x.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a", bytes(range(256)) * 40)
    whole = packed.getvalue()
    damaged = whole[:31] + b"\xff" * 20 + whole[51:]  # the name ends at byte 31
    for content in (b"", b"no zip at all", whole[: len(whole) // 2], damaged):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x.zip cannot be unpacked: "):
            archive.unpack_zip(path, into)


def test_an_existing_file_is_not_overwritten(tmp_path: Path, into: Path) -> None:
    (into / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        archive.unpack_zip(zipped(tmp_path / "x.zip", {"a": b"1"}), into)
    assert (into / "a").read_bytes() == b"mine"
