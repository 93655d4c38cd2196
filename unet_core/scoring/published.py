"""Scores that others have published, with what must be known before one compares them with ours.

A score belongs to its images, its average and its thresholds; papers mix the averages.
"""

from dataclasses import dataclass

# "middle": by image, each scored in a square in its middle. "unstated": the source does not say,
# and one cannot tell.
AVERAGES = ("pooled", "by_image", "middle", "unstated")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One method's score on one set of images."""

    method: str
    data: str
    split: str  # "challenge": the 30 sections of ISBI 2012 whose truth only its organisers have
    scheme: str = ""  # the only scheme whose images these are; empty: they are the same in all
    metric: str  # a key of METRICS
    average: str
    values: tuple[tuple[float | None, float], ...]  # IoU threshold (None: there is none), score
    parameters: float | None = None  # of the network, in millions
    source: str
    note: str = ""


METRICS = {
    "ap": "AP",
    "f1": "F1",
    "mean_iou": "mean IoU of the classes",
    "patch_mean_iou": "mean IoU of the classes, on patches",
    "accuracy": "pixel accuracy",
    "three_class_accuracy": "pixel accuracy of three classes",
    "v_rand": "V_rand",
    "v_info": "V_info",
    "pixel_error": "pixel error",
    "rand_error": "Rand error",
    "warping_error": "warping error",
}

_STARDIST_TABLE = "Schmidt et al. 2018, arXiv 1806.03535, table 1"
_UNET = "Ronneberger et al. 2015, arXiv 1505.04597, table 1"
_ARGANDA = "ISBI 2012 leaderboard, as in Arganda-Carreras et al. 2015, 10.3389/fnana.2015.00142"
_TENTHS = (0.5, 0.6, 0.7, 0.8, 0.9)
_TWENTIETHS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))


def _nuclei(
    method: str,
    scores: tuple[float, ...],
    *,
    ious: tuple[float, ...] = _TWENTIETHS,
    average: str = "pooled",
    parameters: float | None = None,
    source: str = _STARDIST_TABLE,
    metric: str = "ap",
    note: str = "",
) -> Published:
    """A score on the 50 test images of DSB 2018 that StarDist chose."""
    return Published(
        method=method,
        data="dsb2018",
        split="test",
        metric=metric,
        average=average,
        values=tuple(zip(ious, scores, strict=True)),
        parameters=parameters,
        source=source,
        note=note,
    )


def _pixels(
    method: str,
    data: str,
    metric: str,
    score: float,
    *,
    split: str = "test",
    scheme: str = "",
    average: str = "pooled",
    parameters: float | None = None,
    source: str,
    note: str = "",
) -> Published:
    """A score that needs no IoU threshold."""
    return Published(
        method=method,
        data=data,
        split=split,
        scheme=scheme,
        metric=metric,
        average=average,
        values=((None, score),),
        parameters=parameters,
        source=source,
        note=note,
    )


def _challenge(method: str, metric: str, score: float, source: str) -> Published:
    return _pixels(
        method, "isbi2012", metric, score, split="challenge", average="unstated", source=source
    )


ROWS = (
    _nuclei(
        "U-Net, 2 classes",
        (0.6739, 0.6295, 0.5975, 0.5650, 0.5339, 0.4819, 0.4151, 0.3248, 0.2032),
        parameters=1.4,
    ),
    _nuclei(
        "U-Net, 3 classes",
        (0.8060, 0.7753, 0.7431, 0.7011, 0.6543, 0.5777, 0.4910, 0.3738, 0.2258),
        parameters=1.4,
    ),
    _nuclei(
        "Mask R-CNN",
        (0.8323, 0.8051, 0.7728, 0.7299, 0.6838, 0.5974, 0.4893, 0.3525, 0.1891),
        parameters=45,
    ),
    _nuclei(
        "StarDist 2018",
        (0.8641, 0.8361, 0.8043, 0.7545, 0.6850, 0.5862, 0.4495, 0.2865, 0.1191),
    ),
    _nuclei(
        "StarDist in PyTorch",
        (0.8315, 0.7875, 0.7068, 0.5322, 0.1840),
        ious=_TENTHS,
        parameters=0.5,
        source="github.com/hthierno/pytorch-stardist",
        note="40 000 steps of 4 crops",
    ),
    _nuclei(
        "PatchPerPix",
        (0.868, 0.827, 0.755, 0.635, 0.379),
        ious=_TENTHS,
        average="by_image",
        source="its README",
    ),
    _nuclei(
        "EmbedSeg",
        (0.887,),
        ious=(0.5,),
        average="by_image",
        source="its notebook",
        note="averaged over flips and rotations",
    ),
    _nuclei(
        "DL4MIA 2022, 3 classes",
        (0.8211,),
        ious=(0.5,),
        average="by_image",
        source="the tutorial's version of 2022, after 5 epochs",
        note="its “mean accuracy” is this AP",
    ),
    _nuclei(
        "Segmentation with U-Net, 2 classes",
        (0.7473,),
        ious=(0.5,),
        average="by_image",
        metric="f1",
        parameters=31,
        source="the tutorial “DL for computer vision”",
        note="images cut to multiples of 16; as printed, its loop may have left out the 29 images "
        "that already were",
    ),
    _pixels(
        "DL4MIA 2022, 3 classes",
        "dsb2018",
        "three_class_accuracy",
        0.9458,
        average="by_image",
        source="the tutorial's version of 2023",
        note="calling everything background scores .835",
    ),
    _pixels(
        "UNet-PyTorch",
        "isbi2012",
        "mean_iou",
        0.758,
        scheme="sections",
        average="middle",
        source="github.com/hayashimasa/UNet-PyTorch",
        note="the mean of the images' middle 388 px; 50 epochs",
    ),
    _pixels(
        "UNet-PyTorch",
        "isbi2012",
        "accuracy",
        0.9087,
        scheme="sections",
        average="middle",
        source="github.com/hayashimasa/UNet-PyTorch",
        note="the mean of the images' middle 388 px; 50 epochs",
    ),
    _pixels(
        "Best found elsewhere",
        "isbi2012",
        "mean_iou",
        0.809,
        scheme="sections",
        average="unstated",
        source="other public repositories",
    ),
    _pixels(
        "Best found elsewhere",
        "isbi2012",
        "accuracy",
        0.912,
        scheme="sections",
        average="unstated",
        source="other public repositories",
    ),
    _pixels(
        "unet-multiclass-pytorch",
        "synthetic-shapes",
        "mean_iou",
        0.97,
        source="the tutorial's README",
        note="on images that its own generator drew",
    ),
    _pixels(
        "unet-multiclass-pytorch",
        "synthetic-shapes",
        "patch_mean_iou",
        0.98,
        source="the tutorial's README",
        note="on images that its own generator drew",
    ),
    _challenge("U-Net", "warping_error", 0.000353, _UNET),
    _challenge("U-Net", "rand_error", 0.0382, _UNET),
    _challenge("U-Net", "pixel_error", 0.0611, _UNET),
    _challenge("A second human", "warping_error", 0.000005, _UNET),
    _challenge("A second human", "rand_error", 0.0021, _UNET),
    _challenge("A second human", "pixel_error", 0.0010, _UNET),
    _challenge("PatchPerPix", "v_rand", 0.98829, _ARGANDA),
    _challenge("PatchPerPix", "v_info", 0.99154, _ARGANDA),
    _challenge("U-Nets of hobbyists, lowest", "v_rand", 0.962, _ARGANDA),
    _challenge("U-Nets of hobbyists, highest", "v_rand", 0.979, _ARGANDA),
    _challenge("U-Nets of hobbyists, lowest", "v_info", 0.981, _ARGANDA),
    _challenge("U-Nets of hobbyists, highest", "v_info", 0.983, _ARGANDA),
)


def find(
    data: str, split: str, *, scheme: str = "", metric: str = "", average: str = ""
) -> list[Published]:
    """The rows for these very images, in the order above; of a metric and an average if named.

    Empty where nobody has published any. Raises ValueError for an unknown metric or average.
    """
    if metric and metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if average and average not in AVERAGES:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}, got {average!r}")
    return [
        row
        for row in ROWS
        if (row.data, row.split) == (data, split)
        and row.scheme in ("", scheme)
        and metric in ("", row.metric)
        and average in ("", row.average)
    ]
