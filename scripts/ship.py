"""Make a finished run a shipped checkpoint: `python -m scripts.ship --help`.

Stores the weights as float16, scores the stored file once on the test images, and writes the card:
scores, command, commit, device, time. The thresholds are those that the run chose on its
validation images.
"""

import argparse
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unet_core.base import folders
from unet_core.data import datasets
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.runs import runs
from unet_core.scoring import evaluation
from unet_core.training import presets

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import record


def main() -> None:
    """Ship one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="the run's folder or id")
    parser.add_argument("name", help="the checkpoint's name")
    parser.add_argument("--preset", required=True, help="the preset that the run was started with")
    parser.add_argument("--commit", required=True, help="the commit that the run was started from")
    parser.add_argument("--sentence", required=True, help="what the checkpoint is for")
    arguments = parser.parse_args()
    run = runs.Run(Path(arguments.run)) if Path(arguments.run).is_dir() else None
    run = run or runs.find(arguments.run)
    trained = checkpoint.load(run.path / "best.safetensors")
    path = folders.SHIPPED / f"{arguments.name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    checkpoint.save(path, trained, half=True)
    trained = checkpoint.load(path)  # what is scored is what is shipped
    card = describe(run, arguments, trained, path)
    for split in ("val", "test"):
        print(f"Scoring {split} images.", flush=True)
        document = evaluation.evaluate(trained, trained.config.train.images.data, split)
        kept = ("images", "pooled", "by_image", "pixels", "membranes", "thresholds", "tuned_on")
        card["scores"][split] = {key: document[key] for key in kept if key in document}
    card_path = path.with_suffix(".json")
    card_path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    for split, scores in card["scores"].items():
        rand = scores.get("membranes", {}).get("v_rand")
        print(f"{split}: pixels {scores['pixels']}, V_rand {rand}")
        if not scores["pooled"]:
            continue
        pooled, by_image = scores["pooled"][0], scores["by_image"][0]
        print(
            f"{split}: pooled AP50 {pooled['ap']:.4f}, F1 {pooled['f1']:.4f}; "
            f"by image AP50 {by_image['ap']:.4f}, F1 {by_image['f1']:.4f}"
        )


def describe(
    run: runs.Run, arguments: argparse.Namespace, trained: checkpoint.Trained, path: Path
) -> dict[str, Any]:
    """The card without its scores."""
    config, rows = trained.config.train, run.metrics().rows
    changes = [
        f"--set {shlex.quote(f'{key}={_text(value)}')}"
        for key, value in config.to_dict().items()
        if value != presets.preset(arguments.preset).config.to_dict()[key]
    ]
    command = ["python -m unet_core train", f"--preset {arguments.preset}", *changes]
    return {
        "name": arguments.name,
        "sentence": arguments.sentence,
        "authors": ["U-Net Workbench authors"],
        "licence": "BSD-3-Clause",  # that of the program, which the file is part of
        "command": " ".join(command),
        "commit": arguments.commit,
        "date": datetime.now(UTC).date().isoformat(),
        "device": f"{run.status().device}, {record.machine()['processor']}",
        "minutes": round(sum(row["seconds"] for row in rows) / 60, 1),
        "epochs": len(rows),
        "best_epoch": trained.config.epoch,
        "parameters": sum(weight.numel() for weight in trained.network.parameters()),
        "bytes": path.stat().st_size,
        "sha256": images.sha256(path.read_bytes()),
        "data": config.images.data,
        "data_hash": datasets.data_hash(config.images.data),
        "data_licence": datasets.info(config.images.data).licence,
        "scheme": datasets.resolve_scheme(config.images.data, config.images.scheme),
        "config": trained.config.to_dict(),
        "scores": {},
    }


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


if __name__ == "__main__":
    main()
