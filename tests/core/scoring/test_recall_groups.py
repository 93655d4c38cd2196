import numpy as np
import pytest

from unet_core.data.synthetic import nuclei
from unet_core.imaging import matching
from unet_core.scoring import recall_groups


def test_touching_and_lonely_objects_are_counted_apart() -> None:
    true_HW = np.zeros((12, 20), np.int32)
    true_HW[1:5, 1:5], true_HW[1:5, 5:9], true_HW[7:11, 14:18] = 1, 2, 7
    pred_HW = np.where(true_HW == 2, 0, true_HW)  # one of the two that touch is missed
    pred_HW[7, 14:18] = 0  # the lonely one is found with an IoU of 12 / 16
    groups = recall_groups.Groups()
    about = groups.add(true_HW, pred_HW)
    assert about == {
        "median_diameter": pytest.approx(np.sqrt(4 * 16 / np.pi)),
        "touching": pytest.approx(2 / 3),
    }
    touching, lonely = groups.document()["by_touching"]
    assert touching == {"touching": True, "n_true": 2, "recall": 0.5, "mean_iou": 1.0}
    assert lonely == {"touching": False, "n_true": 1, "recall": 1.0, "mean_iou": 0.75}
    assert [row["n_true"] for row in groups.document()["by_size"]] == [3]


def test_every_object_is_in_one_group_and_the_hits_are_those_of_matching() -> None:
    groups, hits, objects = recall_groups.Groups(), 0, 0
    for seed in range(3):
        true_HW = nuclei(np.random.default_rng(seed))[1]
        pred_HW = np.roll(true_HW, 2, axis=0)
        groups.add(true_HW, pred_HW)
        counts = matching.match(true_HW, pred_HW)
        hits, objects = hits + counts.tp, objects + counts.n_true
    for rows in groups.document().values():
        assert sum(row["n_true"] for row in rows) == objects
        assert sum(row["recall"] * row["n_true"] for row in rows if row["n_true"]) == (
            pytest.approx(hits, abs=1)  # an IoU of exactly .5 may be claimed twice
        )
    sizes = groups.document()["by_size"]
    assert [row["from_px"] for row in sizes] == sorted(row["from_px"] for row in sizes)


def test_without_objects_there_are_no_groups() -> None:
    groups = recall_groups.Groups()
    empty_HW = np.zeros((5, 5), np.int32)
    assert groups.add(empty_HW, empty_HW) == {"median_diameter": None, "touching": None}
    assert groups.document() == {"by_size": [], "by_touching": []}
    assert groups.add(np.eye(5, dtype=np.int32), empty_HW)["touching"] == 0
    assert groups.document()["by_size"][0]["recall"] == 0
