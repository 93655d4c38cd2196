import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.segmentation import find_boundaries

from unet_core.imaging import targets

MODES = ("inner", "outer", "thick")


def blocks(rng: np.random.Generator) -> np.ndarray:
    """Random touching rectangles of labels 0..4."""
    side = int(rng.integers(1, 4))
    coarse = rng.integers(0, 5, rng.integers(1, 8, 2))
    return np.kron(coarse, np.ones((side, side), int)).astype(np.int32)


@pytest.mark.parametrize("mode", MODES)
def test_boundaries_are_those_of_scikit_image_in_numpy_and_torch(mode: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        labels = blocks(rng)
        expected = find_boundaries(labels, mode=mode)
        np.testing.assert_array_equal(targets.boundaries(labels, mode), expected)
        batch = torch.from_numpy(np.stack([0 * labels, labels]))
        np.testing.assert_array_equal(targets.boundaries(batch, mode)[1].numpy(), expected)


def test_one_object_and_none_have_the_boundaries_one_expects() -> None:
    labels = np.zeros((5, 5), np.int32)
    assert not targets.boundaries(labels, "thick").any()
    labels[1:4, 1:4] = 7
    assert targets.boundaries(labels, "inner").sum() == 8  # all but the middle
    assert targets.boundaries(labels, "outer").sum() == 12  # four sides, no corners
    assert targets.boundaries(labels, "thick").sum() == 20


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "int64"])
@pytest.mark.parametrize("mode", MODES)
def test_the_largest_label_of_a_type_is_a_label_like_any_other(mode: str, dtype: str) -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:5, 2:7] = True
    largest = True if dtype == "bool" else np.iinfo(dtype).max
    labels = np.where(mask, largest, 0).astype(dtype)
    expected = find_boundaries(mask.astype(np.int32), mode=mode)
    np.testing.assert_array_equal(targets.boundaries(labels, mode), expected)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="inner, outer or thick"):
        targets.boundaries(np.zeros((2, 2), int), "middle")


def test_distances_are_the_euclidean_ones_over_each_objects_maximum() -> None:
    rng = np.random.default_rng(1)
    labels = np.zeros((60, 70), np.int32)
    for label in range(1, 6):
        row, column = rng.integers(8, 50, 2)
        labels[row - 6 : row + 6, column - 5 : column + 7] = label
    expected = np.zeros(labels.shape)
    for label in np.unique(labels)[1:]:
        depth = ndimage.distance_transform_edt(labels == label)
        expected += depth / depth.max()
    np.testing.assert_allclose(targets.distances(labels), expected, atol=1e-6)


def test_an_object_that_fills_the_image_is_all_core() -> None:
    assert (targets.distances(np.ones((3, 4), np.int32)) == 1).all()


@pytest.mark.parametrize("target", ["foreground", "three-class", "foreground+boundary", "distance"])
def test_numpy_and_torch_encode_alike_and_decoding_truth_gives_the_objects_back(
    target: str,
) -> None:
    labels = np.zeros((12, 16), np.int32)
    labels[2:9, 2:8], labels[2:9, 8:14] = 1, 2
    for mode in MODES:
        encoded = targets.encode(labels, target, mode)
        batch = targets.encode(torch.from_numpy(labels)[None], target, mode)[0].numpy()
        np.testing.assert_array_equal(encoded, batch)
        assert encoded.dtype == batch.dtype
        names = targets.channel_names(target)
        prob = np.eye(len(names))[encoded].transpose(2, 0, 1) if encoded.ndim == 2 else encoded
        assert len(prob) == len(names)
        foreground, boundary = targets.decode(prob, target, mode)
        grown = target == "three-class" and mode == "thick"  # half of that class lies outside
        if mode == "outer" and target == "three-class":
            assert (foreground > 0.5).sum() == 7 * 10  # the two columns that touch are boundary
        else:
            assert (foreground > 0.5).sum() == 7 * 12 + (grown and 38)
        if target != "foreground":
            assert boundary[5, 7] > boundary[5, 5]  # between the objects, not in their middle


@pytest.mark.parametrize("mode", MODES)
def test_the_inside_alone_leaves_out_the_rim_where_there_is_one(mode: str) -> None:
    labels = np.zeros((12, 16), np.int32)
    labels[2:9, 2:8], labels[2:9, 8:14] = 1, 2
    prob = np.eye(3)[targets.encode(labels, "three-class", mode)].transpose(2, 0, 1)
    inside, edge = targets.decode(prob, "three-class", mode, "inside")
    np.testing.assert_array_equal(inside, prob[1])
    np.testing.assert_array_equal(edge, prob[2])
    whole = targets.decode(prob, "three-class", mode)[0]
    assert (whole > inside).any() == targets.has_rim("three-class", mode) == (mode != "outer")


@pytest.mark.parametrize("target", ["foreground", "foreground+boundary", "distance", "classes"])
def test_other_targets_have_one_reading(target: str, rng: np.random.Generator) -> None:
    prob = rng.random((3, 6, 7))
    assert not targets.has_rim(target, "thick")
    for one, other in zip(
        targets.decode(prob, target, "thick"),
        targets.decode(prob, target, "thick", "inside"),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_classes_pass_through_and_decode_to_not_background() -> None:
    labels = np.array([[0, 1, 2]])
    assert targets.encode(labels, "classes").tolist() == [[0, 1, 2]]
    prob = np.eye(3)[labels].transpose(2, 0, 1)
    assert targets.decode(prob, "classes", "thick")[0].tolist() == [[0, 1, 1]]
    assert targets.channel_names("classes", ("a", "b")) == ("a", "b")


def test_a_target_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a data set with classes"):
        targets.channel_names("classes")
    with pytest.raises(ValueError, match="target must be one of"):
        targets.channel_names("edges")
    with pytest.raises(ValueError, match="unknown target"):
        targets.encode(np.zeros((2, 2), int), "edges")
