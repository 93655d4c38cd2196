"""What is known about the data sets that come with the app, without looking at their files."""

from dataclasses import dataclass

LEAK = (
    "This is a demonstration of a mistake: the scheme leaky trains on its validation images, too, "
    "so every validation score is too good. Do not report it."
)
MISTAKE = "This run makes a mistake on purpose ({}), to see what it does. Do not report its scores."


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file to download, and how to tell that it arrived unchanged."""

    file: str
    url: str
    sha256: str = ""
    git_blob: str = ""  # what `git hash-object` prints
    most_bytes: int  # more than this is something else


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
    is_own: bool = False  # brought by somebody who uses this computer
    pixel_size_um: float | None = None
    remotes: tuple[Remote, ...] = ()  # a zip holds the set's folder; else these are its files
    by_hand: str = ""  # which files to put into the set's folder without `fetch`
    cite: tuple[tuple[str, str], ...] = ()  # what publications name: in words, and the DOI
    version: str = ""  # of an own set: another one whenever what is known of it has changed


SETS = {
    "dsb2018": DataSet(
        name="dsb2018",
        title="DSB 2018, fluorescent nuclei",
        sentence="497 fluorescence pictures of cell nuclei, each nucleus outlined by hand: the "
        "part of the 2018 Data Science Bowl (BBBC038) that was published with StarDist.",
        labels="instances",
        classes=("background", "nucleus"),
        licence="CC0 1.0 (BBBC038, Broad Bioimage Benchmark Collection): free for any use.",
        cite=(
            (
                "Caicedo et al. 2019, Nucleus segmentation across imaging experiments: the 2018 "
                "Data Science Bowl",
                "10.1038/s41592-019-0612-7",
            ),
            (
                "Schmidt et al. 2018, Cell Detection with Star-Convex Polygons",
                "10.1007/978-3-030-00934-2_30",
            ),
        ),
        schemes=("stardist", "every-20th", "dl4mia", "fraction", "all"),
        default_scheme="stardist",
        remotes=(
            Remote(
                file="dsb2018.zip",
                url="https://github.com/stardist/stardist/releases/download/0.1.0/dsb2018.zip",
                sha256="e44921950edce378063aa4457e625581ba35b4c2dbd9a07c19d48900129f386f",
                most_bytes=1_000_000_000,
            ),
        ),
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
        cite=(
            (
                "Cardona et al. 2010, An Integrated Micro- and Macroarchitectural Analysis of the "
                "Drosophila Brain by Computer-Assisted Serial Section Electron Microscopy",
                "10.1371/journal.pbio.1000502",
            ),
        ),
        must_accept=True,
        splits=("train", "val", "test", "unlabelled"),
        schemes=("sections", "13-2-28", "fraction", "all"),
        default_scheme="sections",
        pixel_size_um=0.004,
        remotes=tuple(
            Remote(
                file=f"{part}.tif",
                url=f"https://github.com/zhixuhao/unet/raw/master/data/membrane/{part}.tif",
                git_blob=blob,
                most_bytes=50_000_000,
            )
            for part, blob in (
                ("train-volume", "358e48bed4f747c20da43251eb7138727d98cec3"),
                ("train-labels", "74ab9858c0be80842c94c41c6fb980aab49e9558"),
                ("test-volume", "3e3612ff0786d278b4d2712a29383c7ca58288ad"),
            )
        ),
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
        schemes=("fraction", "every-20th", "all"),
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
        schemes=("fraction", "every-20th", "all", "leaky"),
        default_scheme="fraction",
        is_synthetic=True,
    ),
}
