"""What training makes small. Axes: B batch, C channels or classes, H rows, W columns."""

from torch import Tensor
from torch.nn import functional


def loss(
    logits_BCHW: Tensor,
    target: Tensor,
    kinds: str,
    *,
    weights_BHW: Tensor | None = None,
    class_weights: tuple[float, ...] = (),
    divide: bool = False,
) -> Tensor:
    """The loss named by `kinds`, such as "bce+dice": the sum of its parts, a scalar.

    `target` holds class numbers [B, H, W] (int64) for exclusive classes, else channels
    [B, C, H, W] in 0..1. `weights_BHW` weighs pixels, `class_weights` channels or classes.
    `divide` divides each image's by their mean, so that only their ratios count.
    """
    if divide and weights_BHW is not None:
        weights_BHW = weights_BHW / weights_BHW.mean((1, 2), keepdim=True).clamp_min(1e-12)
    parts = {"bce": bce, "cross-entropy": cross_entropy, "dice": dice}
    total = logits_BCHW.new_zeros(())
    for kind in kinds.split("+"):
        if kind not in parts:
            raise ValueError(f"loss must be made of {', '.join(parts)}, got {kinds!r}")
        total = total + parts[kind](logits_BCHW, target, weights_BHW, class_weights)
    return total


def bce(
    logits_BCHW: Tensor,
    target_BCHW: Tensor,
    weights_BHW: Tensor | None = None,
    class_weights: tuple[float, ...] = (),
) -> Tensor:
    """Binary cross-entropy of independent channels.

    The mean over all pixels of weight times loss: the weights are not divided out again, since
    a weight map is to make a hard pixel count more (Ronneberger et al. 2015, eq. 1).
    """
    loss_BCHW = functional.binary_cross_entropy_with_logits(
        logits_BCHW, target_BCHW, reduction="none"
    )
    if class_weights:
        loss_BCHW = loss_BCHW * logits_BCHW.new_tensor(class_weights)[:, None, None]
    if weights_BHW is not None:
        loss_BCHW = loss_BCHW * weights_BHW[:, None]
    return loss_BCHW.mean()


def cross_entropy(
    logits_BCHW: Tensor,
    target_BHW: Tensor,
    weights_BHW: Tensor | None = None,
    class_weights: tuple[float, ...] = (),
) -> Tensor:
    """Cross-entropy of exclusive classes.

    Class weights give a weighted mean, as `torch.nn.CrossEntropyLoss` does (divided by the sum
    of the pixels' class weights); the weights of a weight map are not divided out.
    """
    weight_C = logits_BCHW.new_tensor(class_weights) if class_weights else None
    loss_BHW = functional.cross_entropy(logits_BCHW, target_BHW, weight=weight_C, reduction="none")
    if weights_BHW is not None:
        loss_BHW = loss_BHW * weights_BHW
    if weight_C is None:
        return loss_BHW.mean()
    return loss_BHW.sum() / weight_C[target_BHW].sum().clamp_min(1e-12)


def dice(
    logits_BCHW: Tensor,
    target: Tensor,
    weights_BHW: Tensor | None = None,
    class_weights: tuple[float, ...] = (),
) -> Tensor:
    """One minus the soft Dice coefficient of probabilities, summed over the batch per channel.

    Exclusive classes leave the background (class 0) out: it is nearly always large and right.
    Adding 1 above and below makes an absent, unpredicted class perfect instead of undefined.
    """
    if target.ndim == logits_BCHW.ndim:
        prob_BCHW, truth_BCHW = logits_BCHW.sigmoid(), target
    else:
        classes = logits_BCHW.shape[1]
        prob_BCHW = logits_BCHW.softmax(dim=1)[:, 1:]
        truth_BCHW = functional.one_hot(target, classes).movedim(-1, 1)[:, 1:].to(prob_BCHW.dtype)
        class_weights = class_weights[1:]
    if weights_BHW is None:
        weights_BHW = logits_BCHW.new_ones(())
    else:
        weights_BHW = weights_BHW[:, None]
    axes = (0, 2, 3)
    overlap_C = (weights_BHW * prob_BCHW * truth_BCHW).sum(axes)
    size_C = (weights_BHW * (prob_BCHW + truth_BCHW)).sum(axes)
    loss_C = 1 - (2 * overlap_C + 1) / (size_C + 1)
    if class_weights and sum(class_weights):
        weight_C = logits_BCHW.new_tensor(class_weights)
        return (weight_C * loss_C).sum() / weight_C.sum()
    return loss_C.mean()
