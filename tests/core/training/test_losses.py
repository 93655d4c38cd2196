import numpy as np
import pytest
import torch
from torch.nn import functional

from unet_core.base.config import Objective
from unet_core.network.model import probabilities
from unet_core.training import losses
from unet_core.training.criterion import Criterion


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_bce_and_cross_entropy_are_those_of_torch(rng: torch.Generator) -> None:
    logits = torch.randn(2, 3, 5, 7, generator=rng)
    channels = torch.rand(2, 3, 5, 7, generator=rng)
    classes = torch.randint(3, (2, 5, 7), generator=rng)
    assert float(losses.loss(logits, channels, "bce")) == pytest.approx(
        float(functional.binary_cross_entropy_with_logits(logits, channels))
    )
    for weights in ((), (1.0, 2.0, 5.0)):
        expected = functional.cross_entropy(
            logits, classes, weight=torch.tensor(weights) if weights else None
        )
        got = losses.loss(logits, classes, "cross-entropy", class_weights=weights)
        assert float(got) == pytest.approx(float(expected))


def test_a_pixels_weight_scales_its_share_and_is_not_divided_out(rng: torch.Generator) -> None:
    logits = torch.randn(1, 2, 4, 4, generator=rng)
    truth = (torch.rand(1, 2, 4, 4, generator=rng) > 0.5).float()
    classes = torch.randint(2, (1, 4, 4), generator=rng)
    weights = torch.ones(1, 4, 4)
    for kind, target in (("bce", truth), ("cross-entropy", classes)):
        plain = losses.loss(logits, target, kind)
        assert torch.allclose(losses.loss(logits, target, kind, weights_BHW=3 * weights), 3 * plain)
        one = weights * 0
        one[0, 1, 2] = 16.0  # the mean over 16 pixels is then this pixel's own loss
        alone = losses.loss(logits, target, kind, weights_BHW=one)
        pixel = losses.loss(logits[..., 1:2, 2:3], target[..., 1:2, 2:3], kind)
        assert torch.allclose(alone, pixel)


def test_soft_dice_follows_its_definition_and_ignores_pixels_of_weight_zero() -> None:
    prob = np.array([[0.9, 0.2], [0.6, 0.1]])
    truth = np.array([[1.0, 0.0], [1.0, 0.0]])
    logits = torch.from_numpy(np.log(prob / (1 - prob)))[None, None]
    expected = 1 - (2 * 1.5 + 1) / (1.8 + 2 + 1)
    target = torch.from_numpy(truth)[None, None]
    assert float(losses.loss(logits, target, "dice")) == pytest.approx(expected)
    weights = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]], dtype=torch.float64)
    expected = 1 - (2 * 0.9 + 1) / (1.2 + 1 + 1)
    got = losses.loss(logits, target, "dice", weights_BHW=weights)
    assert float(got) == pytest.approx(expected)


def test_dice_of_classes_leaves_the_background_out(rng: torch.Generator) -> None:
    classes = torch.randint(3, (2, 6, 6), generator=rng)
    right = 50.0 * functional.one_hot(classes, 3).movedim(-1, 1).float()
    assert float(losses.loss(right, classes, "dice")) == pytest.approx(0, abs=1e-4)
    background = torch.zeros_like(classes)
    assert float(
        losses.loss(right * 0 + torch.tensor([50.0, 0, 0])[:, None, None], background, "dice")
    ) == pytest.approx(0, abs=1e-4)
    weighted = losses.loss(right.roll(1, 1), classes, "dice", class_weights=(9.0, 0.0, 1.0))
    assert 0.5 < float(weighted) <= 1


def test_a_sum_is_the_sum_of_its_parts(rng: torch.Generator) -> None:
    logits = torch.randn(1, 1, 4, 4, generator=rng)
    truth = (torch.rand(1, 1, 4, 4, generator=rng) > 0.5).float()
    parts = [losses.loss(logits, truth, kind) for kind in ("bce", "dice")]
    assert torch.allclose(losses.loss(logits, truth, "bce+dice"), sum(parts))
    with pytest.raises(ValueError, match="loss must be made of"):
        losses.loss(logits, truth, "hinge")


def test_probabilities_sum_to_one_only_when_classes_exclude_each_other() -> None:
    logits = torch.tensor([[[2.0]], [[-1.0]]])
    assert float(probabilities(logits, softmax=True).sum()) == pytest.approx(1)
    assert probabilities(logits, softmax=False)[0].item() == pytest.approx(0.8808, abs=1e-4)


@pytest.mark.parametrize(("squash", "classes"), [("sigmoid", 3), ("softmax", 3), ("softmax", 2)])
def test_an_activation_too_many_keeps_the_loss_from_reaching_0(squash: str, classes: int) -> None:
    """Three classes: log(1 + 2 / e) = .5514, the floor of unet-multiclass."""
    target = {2: "two-class", 3: "three-class"}[classes]
    objective = Objective(target=target, loss="cross-entropy", squash=squash)
    truth = torch.zeros(1, 2, 2, dtype=torch.int64)
    sure = torch.full((1, classes, 2, 2), -50.0)
    sure[:, 0] = 50.0
    floor = float(Criterion(objective).loss(sure, truth, None))
    assert floor == pytest.approx(np.log(1 + (classes - 1) / np.e), abs=1e-6)
    assert classes == 2 or floor == pytest.approx(0.5514, abs=1e-4)
    assert float(Criterion(objective.replace(squash="none")).loss(sure, truth, None)) < 1e-6


def test_weights_divided_by_their_sum_count_by_their_ratio_in_each_image(
    rng: torch.Generator,
) -> None:
    logits = torch.randn(2, 2, 4, 4, generator=rng)
    classes = torch.randint(2, (2, 4, 4), generator=rng)
    weights = torch.rand(2, 4, 4, generator=rng) + 0.1
    got = losses.loss(logits, classes, "cross-entropy", weights_BHW=weights, divide=True)
    each = functional.cross_entropy(logits, classes, reduction="none")
    expected = ((weights * each).sum((1, 2)) / weights.sum((1, 2))).mean()
    assert torch.allclose(got, expected)
    weights[1] *= 7
    again = losses.loss(logits, classes, "cross-entropy", weights_BHW=weights, divide=True)
    assert torch.allclose(again, expected)


def test_an_activation_in_the_network_needs_exclusive_classes() -> None:
    with pytest.raises(ValueError, match="squash softmax needs exclusive classes"):
        Objective(squash="softmax")
