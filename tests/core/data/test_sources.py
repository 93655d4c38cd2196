"""Files in a folder, a zip or an upload, and what senders may try."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from unet_core.data import sources


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def test_a_folder_a_zip_and_an_upload_of_the_same_files_are_alike(tmp_path: Path) -> None:
    files = {"a/1.png": b"1", "a/ü 2.TIF": b"2", "notes.csv": b"", ".hidden/3.png": b"3",
             "__MACOSX/a/1.png": b""}  # fmt: skip
    for name, content in files.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content)
    (tmp_path / "set.zip").write_bytes(zipped(files))
    for found in (
        sources.open_path(tmp_path / "set"),
        sources.open_path(tmp_path / "set.zip"),
        sources.of_uploads({"set.zip": zipped(files)}),
        sources.of_uploads(files),
    ):
        assert found.names == ("a/1.png", "a/ü 2.TIF")
        assert [found.read(name) for name in found.names] == [b"1", b"2"]
        assert found.n_others == 1


def test_names_of_a_zip_from_macos_are_read_as_they_were_meant() -> None:
    content = bytearray(zipped({"ü.png": b"1"}))
    # It writes UTF-8 without the flag that says so: in the entry, and in the list at the end.
    for flag in (7, content.index(b"PK\x01\x02") + 9):
        assert content[flag] == 0x08
        content[flag] = 0
    found = sources.of_zip("x.zip", bytes(content))
    assert found.names == ("ü.png",)
    assert found.read("ü.png") == b"1"


def test_only_what_lies_in_the_allowed_root_is_read(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "set").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    (root / "set" / "a.png").write_bytes(b"1")
    assert sources.open_path(root / "set", within=root).names == ("a.png",)
    for path in (outside, root / ".." / "outside"):
        with pytest.raises(ValueError, match="lies outside of"):
            sources.open_path(path, within=root)
    (root / "set" / "link.png").symlink_to(outside / "secret.png")
    with pytest.raises(ValueError, match=r"link.png is a link that leads out of"):
        sources.open_path(root / "set", within=root)
    (root / "elsewhere").symlink_to(outside)
    with pytest.raises(ValueError, match="lies outside of"):
        sources.open_path(root / "elsewhere", within=root)


def test_a_link_a_bomb_and_a_path_outside_are_refused_in_a_zip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = zipfile.ZipInfo("a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="holds a link instead of a file"):
        sources.of_uploads({"x.zip": buffer.getvalue()})
    with pytest.raises(ValueError, match="leads outside"):
        sources.of_zip("x.zip", zipped({"../a.png": b""}))
    with pytest.raises(ValueError, match=r"leads out of its folder"):
        sources.of_uploads({"a/../../b.png": b""})
    monkeypatch.setattr(sources.archive.check_members, "__defaults__", (1_000_000, 10))
    with pytest.raises(ValueError, match="must unpack to at most 1 MB, got 3"):
        sources.of_zip("x.zip", zipped({"a.png": bytes(3_000_000)}))


def test_a_damaged_zip_and_a_damaged_file_in_it_are_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"x.zip cannot be opened"):
        sources.of_zip("x.zip", b"no zip")
    good = bytearray(zipped({"a.png": bytes(range(200))}))
    good[50] ^= 255
    with pytest.raises(ValueError, match=r"a.png in x.zip is damaged"):
        sources.of_zip("x.zip", bytes(good)).read("a.png")


def test_a_path_that_is_no_folder_and_no_zip_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a folder or a zip file"):
        sources.open_path(tmp_path / "nothing")
