"""Which label file belongs to which image: from names alone."""

import pytest

from unet_core.data import pairing


def found(images: list[str], labels: list[str] | None = None) -> dict[str, tuple[str, ...]]:
    """The pairs that are sure: label files by image."""
    pairs = pairing.pair(images, labels)
    return {one.image: one.labels for one in pairs if one.state == "found"}


@pytest.mark.parametrize(
    "suffix",
    ["_mask", "_masks", "_label", "_labels", "-labels", "_gt", "-mask", "_MASK", "_Labels"],
)
def test_a_known_suffix_beside_the_image_makes_a_pair(suffix: str) -> None:
    assert found(["a.tif", f"a{suffix}.png", "b.tif", f"b{suffix}.png"]) == {
        "a.tif": (f"a{suffix}.png",),
        "b.tif": (f"b{suffix}.png",),
    }


def test_equal_names_in_images_and_masks_make_a_pair_at_any_depth() -> None:
    paths = ["set/images/a.tif", "set/masks/a.png", "set/images/b.tif", "set/masks/b_mask.png"]
    assert found(paths) == {
        "set/images/a.tif": ("set/masks/a.png",),
        "set/images/b.tif": ("set/masks/b_mask.png",),
    }


def test_two_places_are_paired_by_names_and_every_picture_of_the_second_is_a_label() -> None:
    assert found(["a.tif", "b.tif"], ["a.png", "b_labels.png"]) == {
        "a.tif": ("a.png",),
        "b.tif": ("b_labels.png",),
    }


def test_folders_called_train_val_and_test_are_splits_and_never_mix() -> None:
    splits = {"train": "train", "valid": "val", "Test": "test"}
    paths = [f"{top}/{part}/1.png" for top in splits for part in ("images", "masks")]
    pairs = pairing.pair(paths)
    assert [(one.split, one.state) for one in pairs] == [
        ("test", "found"),
        ("train", "found"),
        ("val", "found"),
    ]
    assert all(one.image.split("/")[0] == one.labels[0].split("/")[0] for one in pairs)
    # Images of one name in several folders get the folders into their names.
    assert [one.name for one in pairs] == ["Test-1", "train-1", "valid-1"]


def test_the_split_may_also_stand_inside_of_images_and_masks() -> None:
    pairs = pairing.pair(["images/val/1.png", "masks/val/1.png"])
    assert [(one.split, one.labels) for one in pairs] == [("val", ("masks/val/1.png",))]


def test_kaggles_layout_is_a_pair_of_one_image_and_all_its_masks() -> None:
    pairs = pairing.pair(
        ["s/ab/images/ab.png", "s/ab/masks/2.png", "s/ab/masks/1.png", "s/cd/images/cd.png",
         "s/cd/masks/9.png"]
    )  # fmt: skip
    assert [(one.name, one.labels, one.state) for one in pairs] == [
        ("ab", ("s/ab/masks/1.png", "s/ab/masks/2.png"), "found"),
        ("cd", ("s/cd/masks/9.png",), "found"),
    ]
    assert pairs[0].why == "2 mask files, one for each object"


def test_one_image_beside_many_masks_of_other_names_is_doubtful() -> None:
    [one] = pairing.pair(["s/images/a.png", "s/masks/1.png", "s/masks/2.png"])
    assert (one.state, len(one.labels)) == ("doubtful", 2)


def test_an_image_without_labels_and_a_label_file_without_image_are_missing() -> None:
    pairs = pairing.pair(["images/a.tif", "images/b.tif", "masks/b.tif", "masks/c.tif"])
    assert [(one.image, one.labels, one.state) for one in pairs] == [
        ("images/a.tif", (), "missing"),
        ("images/b.tif", ("masks/b.tif",), "found"),
        ("", ("masks/c.tif",), "missing"),
    ]
    assert pairs[0].why == "there is no label file of this name"
    assert pairs[2].why == "there is no image of this name"


@pytest.mark.parametrize(
    ("images", "labels", "why"),
    [
        (["a.tif"], ["a_mask.png", "a_labels.png"], "a_mask.png would fit as well"),
        (["a.tif", "a.png"], ["a.tif"], "2 images have this name"),
        (["A.tif"], ["a.tif"], "upper and lower case"),
        (["x/a.tif"], ["y/a.tif"], "in folders that do not match"),
    ],
)
def test_names_that_leave_it_open_are_doubtful_and_say_why(
    images: list[str], labels: list[str], why: str
) -> None:
    pairs = pairing.pair(images, sorted(labels))
    assert {one.state for one in pairs} == {"doubtful"}
    assert why in pairs[0].why


def test_a_picture_of_a_fluorescent_label_is_an_image_unless_it_has_a_partner() -> None:
    assert [one.state for one in pairing.pair(["cells_label.tif", "other.tif"])] == ["missing"] * 2
    assert [one.image for one in pairing.pair(["cells_label.tif"])] == ["cells_label.tif"]


def test_names_are_paired_however_an_umlaut_is_written() -> None:
    # macOS writes an umlaut as two signs.
    pairs = pairing.pair(["Ma\u0308use 1.tif"], ["M\u00e4use 1.png"])
    assert [(one.state, one.name) for one in pairs] == [("found", "M\u00e4use-1")]


def test_names_of_samples_can_be_those_of_files_and_are_unlike() -> None:
    pairs = pairing.pair(["a b.tif", "a-b.tif", "🧬.tif", "../x.tif", "y" * 300 + ".tif"])
    names = [one.name for one in pairs]
    assert len({name.lower() for name in names}) == 5
    assert all(name and "/" not in name and " " not in name for name in names)
    assert all(not name.startswith(".") and len(name.encode()) < 250 for name in names)


def test_without_an_image_the_sentence_says_what_was_found() -> None:
    with pytest.raises(ValueError, match="no PNG, JPEG or TIFF file was found"):
        pairing.pair([])
    with pytest.raises(ValueError, match="only label files"):
        pairing.pair(["masks/a.png"])
