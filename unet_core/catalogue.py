"""What is known about each data set without looking at its files."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """The facts about one data set."""

    name: str
    title: str
    sentence: str
    labels: str  # "instances": 0 background, 1..N objects; "classes": index into `classes`
    classes: tuple[str, ...]  # for instances: the background and the kind of object
    licence: str
    must_accept: bool = False  # the licence is shown and accepted before a download
    splits: tuple[str, ...] = ("train", "val", "test")
    schemes: tuple[str, ...]
    default_scheme: str
    is_synthetic: bool = False
    pixel_size_um: float | None = None
    by_hand: str = ""  # which files to put into the set's folder without `fetch`


SETS = {
    "dsb2018": DataSet(
        name="dsb2018",
        title="DSB 2018, fluorescent nuclei",
        sentence="497 fluorescence pictures of cell nuclei, each nucleus outlined by hand: the "
        "part of the 2018 Data Science Bowl (BBBC038) that was published with StarDist.",
        labels="instances",
        classes=("background", "nucleus"),
        licence="CC0 1.0 (BBBC038, Broad Bioimage Benchmark Collection): free for any use.",
        schemes=("stardist", "every-20th", "fraction"),
        default_scheme="stardist",
        by_hand="the folders train and test of https://github.com/stardist/stardist/releases/"
        "download/0.1.0/dsb2018.zip",
    ),
    "isbi2012": DataSet(
        name="isbi2012",
        title="ISBI 2012, neuron membranes",
        sentence="30 electron microscopy sections of a fruit fly larva's nerve cord, 4 x 4 x 50 nm "
        "per voxel, with every membrane drawn in, and 30 sections without labels.",
        labels="instances",
        classes=("membrane", "neurite"),
        licence='Free "for the purpose of generating or testing non-commercial image segmentation '
        'software". Publications cite TrakEM2 and Cardona et al. 2010, '
        "doi 10.1371/journal.pbio.1000502.",
        must_accept=True,
        splits=("train", "val", "test", "unlabelled"),
        schemes=("sections", "fraction"),
        default_scheme="sections",
        pixel_size_um=0.004,
        by_hand="train-volume.tif, train-labels.tif and test-volume.tif of "
        "https://github.com/zhixuhao/unet/tree/master/data/membrane",
    ),
    "synthetic-nuclei": DataSet(
        name="synthetic-nuclei",
        title="Synthetic nuclei",
        sentence="Drawn by the computer: blurred, uneven, touching nuclei under a noisy camera. "
        "Needs no download, and every label is exactly right.",
        labels="instances",
        classes=("background", "nucleus"),
        licence="Made here: free for any use.",
        schemes=("fraction", "every-20th"),
        default_scheme="fraction",
        is_synthetic=True,
    ),
    "synthetic-shapes": DataSet(
        name="synthetic-shapes",
        title="Synthetic lines and ellipses",
        sentence="Drawn by the computer: lines and ellipses of varying grey on a noisy "
        "background, for training with several classes. Needs no download.",
        labels="classes",
        classes=("background", "line", "ellipse"),
        licence="Made here: free for any use.",
        schemes=("fraction", "every-20th"),
        default_scheme="fraction",
        is_synthetic=True,
    ),
}
