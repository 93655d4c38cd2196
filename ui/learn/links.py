"""What a link of a lesson may ask of each page: a wrong one is found before anybody follows it.

Nothing here draws.
"""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl

from unet_core.base.config import Segmentation, TrainConfig
from unet_core.data import datasets
from unet_core.imaging import matching
from unet_core.network import checkpoint
from unet_core.scoring import landscape, protocols
from unet_core.training import presets

OWN = "own"  # instead of a model or a run: the learner's newest one that fits the lesson
PAGES = ("data", "model", "train", "segment", "evaluate")
# The tabs and views that a link may open, by the page and the setting's name.
PARTS = {
    "data": {
        "tab": ("Overview", "Sample", "Statistics", "Augmentation", "Weight map", "Generator"),
        "target": (*TrainConfig.options()["target"].metadata["choices"], "border weights"),
        "boundary": TrainConfig.options()["boundary"].metadata["choices"],
        "style": ("outlines", "colours"),
        "aug_from": tuple(presets.PRESETS),
    },
    "model": {"part": ("Layers", "Sizes", "Time and memory", "Feature maps", "Stretching")},
    "segment": {
        "result": ("Classes", "Objects", "Hits and misses", "Probabilities", "Steps", "Table")
    },
    "evaluate": {"task": ("Evaluate", "Tune thresholds", "Compare two")},
}
SPLITS = ("train", "val", "test")

Check = Callable[[str, Mapping[str, str]], None]


def read(target: str) -> tuple[str, dict[str, str]]:
    """The page and the settings of `train?preset=quick&epochs=3`.

    Raises ValueError for a page, a setting, or a value of one that is not there.
    """
    page, _, asked = target.partition("?")
    _one_of("page", page, PAGES)
    query = dict(parse_qsl(asked, keep_blank_values=True))
    checks = _checks(page)
    for name, value in query.items():
        _one_of(f"setting of the page {page}", name, checks)
        checks[name](value, query)
    return page, query


def _one_of(what: str, value: str, known: Iterable[str]) -> None:
    known = list(known)
    if value not in known:
        raise ValueError(f"there is no {what} {value!r}; there are: {', '.join(known)}")


def _choice(what: str, known: Iterable[str]) -> Check:
    options = tuple(known)
    return lambda value, query: _one_of(what, value, options)


def _checks(page: str) -> dict[str, Check]:
    """A check for each setting that a page restores from its address."""
    checks: dict[str, Check] = {
        name: _choice(name, known) for name, known in PARTS.get(page, {}).items()
    }
    if page in ("data", "segment", "evaluate"):
        checks |= {"set": _check_set, "split": _choice("split", SPLITS)}
    if page in ("data", "evaluate"):
        checks["scheme"] = _check_scheme
    if page in ("data", "segment"):
        checks["sample"] = _check_sample
    if page in ("segment", "evaluate"):
        checks["model"] = _choice("model", (OWN, *checkpoint.names()))
    if page == "segment":
        checks |= {name: _check_segmentation(name) for name in Segmentation.options()}
        checks["iou"] = _choice("IoU", [f"{value:g}" for value in matching.IOUS])
    if page == "evaluate":
        checks["protocol"] = _choice("protocol", protocols.PROTOCOLS)
        checks["ladder"] = _choice("ladder", ("true", "false"))
        checks["tune-split"] = _choice("split", SPLITS)
        checks["measure"] = _choice("measure", [one.upper() for one in landscape.MEASURES])
    if page == "train":
        checks["preset"] = _choice("preset", presets.PRESETS)
        checks["run"] = _choice("run", (OWN,))
        checks["data"] = _check_set
        for name in TrainConfig.options():
            if name not in checks:
                checks[name] = _check_training
    if page == "model":
        starts = ["the paper's, 572 → 388", *(f"recipe {name}" for name in presets.PRESETS)]
        starts += [f"model {name}" for name in checkpoint.names()]
        checks["net_from"] = _choice("network", starts)
    return checks


def _check_segmentation(name: str) -> Check:
    def check(value: str, query: Mapping[str, str]) -> None:
        Segmentation().with_text([f"{name}={value}"])

    return check


def _check_training(value: str, query: Mapping[str, str]) -> None:
    """The settings together, as the recipe has them: some exclude each other."""
    base = presets.preset(query.get("preset", "")).config
    own = {name: text for name, text in query.items() if name in TrainConfig.options()}
    base.with_text(f"{name}={text}" for name, text in own.items() if name != "data")


def _check_set(value: str, query: Mapping[str, str]) -> None:
    datasets.info(value)


def _check_scheme(value: str, query: Mapping[str, str]) -> None:
    if "set" not in query:
        raise ValueError("a link with a scheme must name its set")
    datasets.resolve_scheme(query["set"], value)


def _check_sample(value: str, query: Mapping[str, str]) -> None:
    """The sample must be there, as far as its set is on this computer."""
    if not {"set", "split"} <= query.keys():
        raise ValueError("a link with a sample must name its set and split")
    data = datasets.info(query["set"])
    _one_of("split", query["split"], data.splits)
    if query["set"].partition(":")[0] in datasets.available():
        names = datasets.sample_names(query["set"], query["split"], scheme=query.get("scheme"))
        if value not in names:
            raise ValueError(f"there is no sample {value!r} in {query['set']} {query['split']}")
