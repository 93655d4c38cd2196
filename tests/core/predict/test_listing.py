from pathlib import Path

import pytest

from unet_core.predict import listing

NAMES = ("b.tif", "a.PNG", "notes.txt", ".hidden.tif", "sub/c.jpeg", "sub/.git/d.tif", "out/e.tif")


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "plate 1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "plate 1"


@pytest.mark.parametrize(
    ("recursive", "names"),
    [(False, ["a.PNG", "b.tif"]), (True, ["a.PNG", "b.tif", "out/e.tif", "sub/c.jpeg"])],
)
def test_a_folder_stands_for_its_pictures(plate: Path, recursive: bool, names: list[str]) -> None:
    assert listing.find_images([str(plate)], recursive=recursive) == (plate, names)


def test_what_lies_in_the_results_is_not_segmented(plate: Path) -> None:
    _, names = listing.find_images([str(plate)], recursive=True, leave_out=plate / "out")
    assert names == ["a.PNG", "b.tif", "sub/c.jpeg"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.tif", ["b.tif"]),
        ("*", ["a.PNG", "b.tif"]),
        ("**/*.tif", ["b.tif", "out/e.tif"]),
        ("s*/*.jpeg", ["sub/c.jpeg"]),
    ],
)
def test_a_pattern_counts_from_the_folder_before_it(
    plate: Path, pattern: str, names: list[str]
) -> None:
    assert listing.find_images([str(plate / pattern)]) == (plate, names)


def test_several_inputs_count_from_the_folder_that_they_share_and_each_file_is_there_once(
    plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plate)
    found = listing.find_images(["sub", "sub/c.jpeg", "../plate 1/notes.txt"])
    assert found == (plate, ["notes.txt", "sub/c.jpeg"])


def test_a_folder_or_a_pattern_may_be_many_files(plate: Path) -> None:
    (plate / "a[1].tif").touch()
    assert listing.is_many([str(plate / "b.tif"), str(plate)])
    assert listing.is_many([str(plate / "*.tif")])
    assert not listing.is_many([str(plate / "b.tif"), str(plate / "a[1].tif"), "nowhere.tif"])


def test_without_a_picture_it_is_said_where_there_are_some(plate: Path) -> None:
    (plate.parent / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no PNG, JPEG or TIFF file in .*empty"):
        listing.find_images([str(plate.parent / "empty")])
    with pytest.raises(ValueError, match="in its subfolders only: add --recursive"):
        listing.find_images([str(plate.parent)])
    with pytest.raises(ValueError, match="no PNG, JPEG or TIFF file in"):
        listing.find_images([str(plate / "*.gif")])
