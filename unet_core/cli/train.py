"""The command `train`, and the recipe that it has in common with `lr-test`."""

import argparse
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_core.base.config import TrainConfig
from unet_core.base.faults import exit_code
from unet_core.cli.output import show
from unet_core.cli.parser import MISTAKE, Parser, add_command, list_settings
from unet_core.runs import repeats, runs
from unet_core.runs.repeats import Repeat
from unet_core.runs.runs import Run
from unet_core.runs.stopping import LOOK_SECONDS
from unet_core.training import presets
from unet_core.training.presets import PRESETS

if TYPE_CHECKING:  # a training process must have its lock before it imports numpy
    from unet_core.scoring.spread import Spread


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    recipes = "\n".join(f"  {name:27}{one.sentence}" for name, one in PRESETS.items())
    parser = add_command(
        found,
        "train",
        train,
        "train a network in the foreground; Ctrl-C stops and keeps the weights",
        f"presets:\n{recipes}\n\nsettings for --set:\n{list_settings(TrainConfig)}",
    )
    add_recipe(parser)
    parser.add_argument(
        "--run",
        metavar="DIR",
        help="the run's folder (default: a new one in $UNET_RUNS, else runs/)",
    )
    parser.add_argument(
        "--repeats",
        metavar="N",
        type=int,
        help="train with N seeds, from the recipe's upwards; each is a run that waits its turn",
    )
    parser.add_argument(
        "--repeat", metavar="NAME", help="a repeat to go on with, together with --resume"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in --run, with --set epochs=N also one that has finished; or what "
        "--repeat lacks",
    )


def add_recipe(parser: Parser, *, required: bool = False) -> None:
    """Options that choose a recipe and change it; `configure` reads them."""
    parser.add_argument(
        "--preset", metavar="NAME", required=required, help=f"the recipe: {', '.join(PRESETS)}"
    )
    parser.add_argument("--data", metavar="NAME", help="train on this data set instead")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting, such as --set epochs=5 --set widths=16,32,64; may be repeated",
    )
    parser.add_argument(
        "--init-from",
        metavar="MODEL",
        help="start from the weights of a shipped checkpoint, a run, or a file; without --preset "
        "with the settings that made it, at a tenth of the learning rate",
    )


def train(arguments: argparse.Namespace) -> int:
    """Train in the foreground: a new run, the one in --run, or a repeat."""
    from unet_core.runs import process

    if arguments.repeats is not None or arguments.repeat:
        return _train_repeat(arguments)
    run = _run_to_train(arguments)
    report = None if arguments.json else lambda text: print(text, flush=True)
    outcome = process.train(run, resume=arguments.resume, report=report)
    document = {
        "run": run.id,
        "path": str(run.path),
        "config": run.config.to_dict(),
        "status": outcome.status.to_dict(),
        "metrics": run.metrics().rows,
    }
    if arguments.json:
        show(arguments, document, [])
    if outcome.error is not None:
        code = exit_code(outcome.error)
        # The log has the trace of a fault already.
        print(f"error: {outcome.status.reason}", file=sys.stderr)
        return code
    return 130 if outcome.was_signalled else 0


def _train_repeat(arguments: argparse.Namespace) -> int:
    """Train with several seeds in processes of their own, and follow them to their ends."""
    repeat = _repeat_to_train(arguments)
    if not arguments.json:
        print(f"Repeat {repeat.name}: {len(repeat.runs)} seeds.", flush=True)
    was_stopped = _follow(repeat, is_silent=arguments.json)
    from unet_core.scoring import spread

    statuses = repeat.statuses()
    found = spread.spread(status.best_dice for status in statuses if status.state == "finished")
    told = repeats.summary(repeat, statuses)
    document = {
        "repeat": repeat.name,
        "summary": told,
        "runs": [
            {"run": run.id, "seed": repeats.seed(run), "status": status.to_dict()}
            for run, status in zip(repeat.runs, statuses, strict=True)
        ],
        "val_dice": None if found is None else asdict(found) | {"noise": found.noise_of_runs},
    }
    has_failed = repeats.state(statuses) in ("failed", "lost")
    show(arguments, document, [*([] if has_failed else [told]), *_spread_lines(found)])
    if has_failed:
        print(f"error: {told}", file=sys.stderr)
        return MISTAKE
    return 130 if was_stopped else 0


def _follow(repeat: Repeat, *, is_silent: bool) -> bool:
    """Start the seeds and tell their news until all have ended; gives whether a signal ended them.

    A first Ctrl-C or SIGTERM lets them keep their weights, a second one leaves them alone.
    """
    signals: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda number, _: signals.append(number)) for kind in kinds]
    follower, was_stopped = repeats.Follower(repeat), False
    try:
        repeat.start()
        while not follower.is_over:
            for line in follower.news():
                if not is_silent:
                    print(line, flush=True)
            if signals and not was_stopped:
                was_stopped = True
                repeat.stop()
            elif len(signals) > 1:
                raise KeyboardInterrupt
            time.sleep(LOOK_SECONDS)
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
    return was_stopped


def _repeat_to_train(arguments: argparse.Namespace) -> Repeat:
    if arguments.repeat:
        given = ("preset", "data", "set", "init_from", "run", "repeats")
        changes = [name for name in given if getattr(arguments, name)]
        if changes:
            flag = changes[0].replace("_", "-")
            raise ValueError(f"a repeat has its own settings: leave out --{flag}")
        if not arguments.resume:
            raise ValueError("--repeat names a repeat to go on with: add --resume")
        return repeats.find(arguments.repeat)
    repeats.check_count(arguments.repeats)
    if arguments.run or arguments.resume:
        raise ValueError(
            "--repeats makes new runs in $UNET_RUNS, else runs/: leave out --run and --resume"
        )
    config, note = _new_settings(arguments)
    return repeats.create(config, arguments.repeats, preset=arguments.preset, note=note)


def _spread_lines(found: "Spread | None") -> list[str]:
    """Validation Dice over the seeds, and what of it is noise."""
    if found is None or found.deviation is None:
        return []
    low, high = found.roughness or (1.0, 1.0)
    return [
        f"validation Dice {found.mean:.4f} ± {found.deviation:.4f} (mean and deviation of "
        f"{found.n} seeds)",
        f"differences below {found.noise_of_runs:.4f} between two single runs are noise (2 * "
        f"sqrt(2) deviations); the deviation of {found.n} seeds may be off by a factor of "
        f"{low:.2f} to {high:.3g}",
    ]


def _run_to_train(arguments: argparse.Namespace) -> Run:
    kinds = ("preset", "data", "set", "init_from")
    changes = [name for name in kinds if getattr(arguments, name)]
    path = Path(arguments.run) if arguments.run else None
    if path is not None and (path / "config.json").is_file():
        if arguments.resume and changes == ["set"] and _names(arguments.set) == {"epochs"}:
            config = Run(path).config.with_text(arguments.set)
            runs.extend(Run(path), config.optimisation.epochs)
            return Run(path)
        if changes:
            raise ValueError(
                f"{path} holds a run with its own settings: leave out "
                f"--{changes[0].replace('_', '-')}, or choose another folder; only --resume with "
                "--set epochs=N changes one"
            )
        return Run(path)
    if arguments.resume:
        where = f"{path} holds no run (no config.json)" if path else "name it with --run"
        raise ValueError(f"there is no run to resume: {where}")
    config, note = _new_settings(arguments)
    if path is None:
        return runs.create(config, preset=arguments.preset or "", note=note)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is there already and holds no run: choose a new folder for --run")
    path.mkdir(parents=True, exist_ok=True)
    runs.fill(Run(path), config, note=note)
    return Run(path)


def _names(assignments: list[str]) -> set[str]:
    """The settings that are named."""
    return {text.partition("=")[0].strip() for text in assignments}


def _new_settings(arguments: argparse.Namespace) -> tuple[TrainConfig, str]:
    """What `configure` gives for a new run; the note is told."""
    if not arguments.preset and not arguments.init_from:
        raise ValueError(f"choose a recipe with --preset: {', '.join(presets.PRESETS)}")
    config, note = configure(arguments)
    if note:
        print(note, file=sys.stderr if arguments.json else sys.stdout)
    return config, note


def configure(arguments: argparse.Namespace) -> tuple[TrainConfig, str]:
    """The settings of a preset with the changes asked for, checked against the data."""
    from unet_core.data import datasets
    from unet_core.imaging import targets
    from unet_core.network import checkpoint
    from unet_core.runs import recipes

    wanted = [text for text in arguments.set if text.partition("=")[0].strip() == "data"]
    name = wanted[-1].partition("=")[2].strip() if wanted else arguments.data
    if arguments.preset:
        config, note = recipes.choose(arguments.preset, name or "")
    else:
        config, note = recipes.fine_tune(arguments.init_from, name or "")
    if arguments.init_from:
        config = config.replace(init_from=arguments.init_from)
    config = config.with_text(arguments.set)
    datasets.training_names(config.images.data, scheme=config.images.scheme)
    if config.network.init_from:
        about = datasets.info(config.images.data)
        classes = about.classes if about.labels == "classes" else ()
        outputs = targets.channel_names(config.objective.target, classes)
        note = f"{note} {checkpoint.check_fit(config, outputs)}".strip()
    return config, note
