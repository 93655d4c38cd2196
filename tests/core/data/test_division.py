"""Which images train, validate and test."""

from collections import Counter

import pytest

from unet_core.data.division import Division, divide, guess_pattern, specimen


def names(count: int) -> dict[str, str]:
    return {f"i{index:03d}": "" for index in range(count)}


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (20, (14, 3, 3)), (100, (70, 15, 15))],
)
def test_fractions_leave_something_to_train_on_and_give_each_part_an_image_first(
    count: int, sizes: tuple[int, int, int]
) -> None:
    found = Counter(divide(names(count), Division()).values())
    assert tuple(found[split] for split in ("train", "val", "test")) == sizes


def test_the_same_seed_divides_alike_whatever_the_order_and_another_one_otherwise() -> None:
    forward, seeds = names(30), [Division(seed=seed) for seed in (0, 1)]
    backward = dict(reversed(forward.items()))
    assert divide(forward, seeds[0]) == divide(backward, seeds[0])
    assert divide(forward, seeds[0]) != divide(forward, seeds[1])


def test_images_of_one_specimen_never_part() -> None:
    files = {f"mouse{index // 5}_s{index % 5}": "" for index in range(50)}
    found = divide(files, Division(group="{}_*", val=0.2, test=0.2))
    of = {name.split("_")[0]: set() for name in files}
    for name, split in found.items():
        of[name.split("_")[0]].add(split)
    assert all(len(splits) == 1 for splits in of.values())
    assert Counter(found.values()) == {"train": 30, "val": 10, "test": 10}


def test_a_large_specimen_does_not_take_the_whole_of_training() -> None:
    files = {f"a_{index}": "" for index in range(90)} | {f"b_{index}": "" for index in range(10)}
    found = Counter(divide(files, Division(group="{}_*")).values())
    assert found["train"] in (10, 90)
    assert found["test"] == 0


def test_folders_say_the_split_and_without_val_a_part_of_train_validates() -> None:
    said = {"a": "train", "b": "val", "c": "test", "d": ""}
    by_folder = Division(by="folder")
    assert divide(said, by_folder) == {"a": "train", "b": "val", "c": "test", "d": "train"}
    said = {f"i{index}": "train" for index in range(10)} | {"t": "test"}
    assert Counter(divide(said, by_folder).values()) == {"train": 9, "val": 1, "test": 1}
    assert Counter(divide(said, Division(by="folder", val=0)).values()) == {"train": 10, "test": 1}


def test_a_pattern_names_the_specimen() -> None:
    assert specimen("mouse3_slice07", "{}_*") == "mouse3"
    assert specimen("2026-liver-4", "*-{}-*") == "liver"
    with pytest.raises(ValueError, match=r"\{\}_\* does not fit the image slice"):
        specimen("slice", "{}_*")
    with pytest.raises(ValueError, match=r"must hold \{\} once"):
        Division(group="mouse*")


def test_likely_groups_are_guessed_from_names_that_come_again() -> None:
    assert guess_pattern([f"m{index // 3}_{index}" for index in range(9)]) == "{}_*"
    assert guess_pattern([f"m{index // 3}-{index}" for index in range(9)]) == "{}-*"
    assert guess_pattern([f"cell_{index}" for index in range(9)]) == ""  # all would be one group
    assert guess_pattern(["a", "b", "c"]) == ""


def test_fractions_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValueError, match="must leave a part to train on"):
        Division(val=0.5, test=0.5)
