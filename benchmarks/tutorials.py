"""The tutorials' figures by the commands that stand in their pages, one file for each tutorial.

    python benchmarks/tutorials.py dsb-binary=RUN "dl4mia:half the channels=RUN" ...

A run is named as for `--model`, and measured by the protocol of that name: `evaluate --protocol`.
NOTE, behind a colon, tells two runs apart, for no run takes another's place in the results. For a
run on all training images, RUN,CHOOSER names the run whose validation images choose for it.
Everything that is chosen is chosen on validation images; the test images are scored with the
printed settings and with those that validation chose.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import record

from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.predict.recipe import flag
from unet_core.scoring import protocols

FOLDER = record.RESULTS / "tutorials"
PAGES = {
    "dsb-binary": "segmentation-with-u-net",
    "dsb-boundary": "segmentation-with-u-net",
    "dl4mia": "dl4mia",
    "isbi-valid": "unet-pytorch",
    "shapes": "unet-multiclass",
}
SHIPPED = ("isbi-valid:the shipped membranes=membranes", "shapes:the shipped shapes=shapes")
PIXELS = ("mean_iou", "accuracy", "three_class_accuracy", "patch_mean_iou")


def measure(name: str, run: str, chooser: str, rotations: int) -> dict[str, Any]:
    """The figures of a run as printed, and with what validation chose; the commands that did it."""
    words = ["--model", run, "--protocol", name]
    words += ["--rotations", str(rotations)] if rotations else []
    commands = [words]
    printed = evaluate(words)
    numbers = {"as printed": summary(printed)}
    if protocols.find(name).segmentation is not None:
        commands.append([*words, *settings_of(chooser)])
        numbers["chosen on validation"] = summary(evaluate(commands[-1]))
    elif "curve" in printed["pixels"] and has_validation(chooser):
        commands.append(["--model", chooser, *words[2:], "--split", "val"])
        numbers |= at_best(evaluate(commands[-1])["pixels"], printed["pixels"])
    return {"numbers": numbers, "commands": [said(words) for words in commands]}


def said(words: list[str]) -> str:
    """The command as it is kept: a run by its name in runs/, wherever it lies on this machine."""
    names = [f"runs/{Path(word).name}" if Path(word).is_absolute() else word for word in words]
    return shlex.join(command(names))


def has_validation(model: str) -> bool:
    """Whether a model's own division leaves images to choose with."""
    images = checkpoint.read_config(model).train.images
    return bool(datasets.sample_names(images.data, "val", scheme=images.scheme))


def command(words: list[str]) -> list[str]:
    """The command that the pages name, too."""
    return ["python", "-m", "unet_core", "evaluate", *words]


def evaluate(words: list[str]) -> dict[str, Any]:
    """What the command says."""
    done = subprocess.run(
        [sys.executable, *command(words)[1:], "--json"],
        cwd=record.REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.returncode)  # the command has said why
    return json.loads(done.stdout)


def settings_of(model: str) -> list[str]:
    """The segmentation that validation chose for a model, as options of the command."""
    settings = checkpoint.read_config(model).segmentation.to_dict()
    return [word for name, value in settings.items() for word in flag(name, value)]


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """The tutorial's figures, and the other averages beside them; objects at IoU .5."""
    pixels = document["pixels"]
    averages = {"pooled": pixels, "by_image": pixels["by_image"], "middle": pixels.get("middle")}
    found: dict[str, Any] = {"figures": document["protocol"]["figures"]}
    if document["pooled"]:
        found["thresholds"] = document["thresholds"]
        found["objects"] = {kind: document[kind][0] for kind in ("pooled", "by_image")}
    found["pixels"] = {
        kind: {key: row[key] for key in PIXELS if key in row}
        for kind, row in averages.items()
        if row
    }
    if "membranes" in document:
        found["membranes"] = {
            key: value for key, value in document["membranes"].items() if key != "curve"
        }
    return {"images": document["images"], **found}


def at_best(val: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
    """Scores of pixels at the threshold with the best mean IoU of validation's middles."""
    rows = val["middle"]["curve"]
    best = max(range(len(rows)), key=lambda index: rows[index]["mean_iou"])
    return {
        title: {"pooled": pixels["curve"][best], "middle": pixels["middle"]["curve"][best]}
        for title, pixels in (("on validation", val), ("chosen on validation", test))
    }


def keep(path: Path, label: str, entry: dict[str, Any]) -> None:
    """Write a result among the others of its tutorial; ValueError where another run's has its name.

    The weights' hash tells whether it is the same run.
    """
    known = json.loads(path.read_text()) if path.exists() else {}
    if label in known and known[label].get("weights_sha256") != entry["weights_sha256"]:
        raise ValueError(
            f"{path.name} has a result of another run as {label!r}: give this one a note, "
            f"as in {label.partition(':')[0]}:NOTE=RUN"
        )
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**known, label: entry}, indent=2) + "\n")


def main() -> None:
    """Measure the named runs, each into its tutorial's file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="PROTOCOL[:NOTE]=RUN[,CHOOSER]",
        default=SHIPPED,
        help=f"{', '.join(PAGES)}; without any the shipped networks are measured",
    )
    parser.add_argument("--rotations", type=int, default=0, help="average over so many rotations")
    arguments = parser.parse_args()
    os.environ["UNET_DATA"] = str(record.data_folder())
    for one in arguments.runs:
        label, _, names = one.partition("=")
        protocol = label.partition(":")[0]
        if protocol not in PAGES:
            parser.error(f"the protocol must be one of {', '.join(PAGES)}, got {protocol}")
        run, _, chooser = names.partition(",")
        trained = checkpoint.load(run)
        entry = {
            "weights_sha256": hashlib.sha256(checkpoint.find(run).read_bytes()).hexdigest(),
            "parameters": sum(weight.numel() for weight in trained.network.parameters()),
            "widths": list(trained.config.train.network.widths),
            "epochs": trained.config.train.optimisation.epochs,
            **measure(protocol, run, chooser or run, arguments.rotations),
            **record.origin(),
        }
        print(json.dumps({label: entry}, indent=2))
        try:
            keep(FOLDER / f"{PAGES[protocol]}.json", label, entry)
        except ValueError as error:
            parser.error(str(error))


if __name__ == "__main__":
    main()
