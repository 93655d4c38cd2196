"""The training process: holds its run's lock, waits its turn, trains, and writes what it sees."""

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from unet_core.base import device, folders
from unet_core.base.faults import explain, is_deliberate
from unet_core.runs import runs, slots
from unet_core.runs.recorder import Recorder
from unet_core.runs.runs import Run, Status
from unet_core.runs.stopping import Stop, Stopped

if TYPE_CHECKING:
    from unet_core.training.trainer import Event, Training

PATIENCE_SECONDS = 5.0  # readers and starters hold the lock for a moment only


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a training process ended."""

    status: Status
    error: BaseException | None = None
    was_signalled: bool = False


def train(
    run: Run,
    *,
    resume: bool = False,
    report: Callable[[str], None] | None = None,
    on_event: Callable[["Event"], None] | None = None,
) -> Outcome:
    """Train a run to its end in this process, writing its directory as it goes.

    Failures end in the run's status and log, and in the outcome; `report` is told what the log is
    told, `on_event` every event of the training. Raises ValueError when another process trains the
    run, or there is nothing to do.
    """
    epochs = run.config.optimisation.epochs
    lock = FileLock(run.path / "lock", thread_local=False)
    try:
        held = lock.acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        raise ValueError(f"run {run.id} is being trained by another process already") from None
    with held:
        before = runs.last_status(run)
        is_prepared = before.state == "queued" and before.started_at and before.pid is None
        if not is_prepared:
            runs.check_start(run, resume=resume)
            (run.path / "stop").unlink(missing_ok=True)
        started_at = before.started_at if is_prepared else None
        status = before.renewed(started_at or time.time(), pid=os.getpid())
        recorder = Recorder(run, status.replace(epochs=epochs), report)
        stop = Stop(run.path / "stop")
        with stop.listening():
            error = _work(run, recorder, stop, resume=resume, on_event=on_event)
    return Outcome(status=recorder.status, error=error, was_signalled=stop.signal is not None)


def _work(
    run: Run,
    recorder: Recorder,
    stop: Stop,
    *,
    resume: bool,
    on_event: Callable[["Event"], None] | None,
) -> BaseException | None:
    """Everything that happens under the run's lock; returns what went wrong."""
    turn = None
    try:
        recorder.update(state="queued", phase="waiting")
        recorder.say(f"Run {run.id} in {run.path}.")
        turn = slots.wait_for_turn(
            folders.runs(),
            run.path,
            wanted=run.config.optimisation.device,
            since=recorder.status.started_at or 0.0,
            pid=os.getpid(),
            is_stopped=stop.is_asked,
            on_wait=lambda: recorder.say("Waiting: another run uses the device."),
        )
        if turn is None:
            raise Stopped
        _use_slot(turn[0])
        with stop.interrupting():
            training = _prepare(run, recorder, resume=resume)
        try:
            with stop.interrupting_steps(training.network):
                _follow(training, recorder, stop, on_event)
        except Stopped:
            if training.step:
                recorder.update(phase="stopping")
                recorder.keep_weights(training)
            raise
        recorder.end("finished", _tune(training, recorder, stop) or training.why_ended)
    except Stopped:
        where = f"after step {recorder.status.step}" if recorder.status.step else "before it began"
        recorder.end("stopped", f"Stopped {where}.")
    except BaseException as error:
        if not is_deliberate(error):
            recorder.log(traceback.format_exc())
        recorder.end("failed", explain(error))
        return error
    finally:
        if turn is not None:
            turn[1].release()
    return None


def _use_slot(slot: str) -> None:
    """Show torch only the GPU whose turn was won."""
    kind, _, index = slot.partition("-")
    if kind == "cuda":
        names = device.visible_gpus()
        os.environ["CUDA_VISIBLE_DEVICES"] = names[int(index)] if names else index


def _prepare(run: Run, recorder: Recorder, *, resume: bool) -> "Training":
    """The training at its first step, or where the saved state left it."""
    recorder.update(state="running", phase="loading")
    from unet_core.training.trainer import Training

    chosen = device.choose(run.config.optimisation.device)
    recorder.update(device=chosen.title, device_reason=chosen.reason)
    recorder.say(f"Training on {chosen.title}: {chosen.reason}.")
    saved = recorder.load_state() if resume else None
    training = Training(run.config, device=chosen, resumes=saved is not None)
    if training.model_config.started_from:
        origin = f"Started from the weights of {training.model_config.started_from}."
        origin = f"{origin} {training.begun_anew}".rstrip()
        recorder.say(origin)
        recorder.update(note=f"{recorder.status.note} {origin}".lstrip())
    if saved is not None:
        training.load_state(saved)
        recorder.say(f"Continuing after step {training.step} of {training.total_steps}.")
    _note_arithmetic(training, recorder)
    recorder.begin(training)
    return training


def _note_arithmetic(training: "Training", recorder: Recorder) -> None:
    """Record what decides the last digits of every number, and say when it changes."""
    import torch

    precision = "bfloat16" if training.bfloat16 else str(training.dtype).removeprefix("torch.")
    if training.device.name != "cpu":
        recorder.update(precision=precision)
        return
    before, threads = recorder.status.threads, torch.get_num_threads()
    if training.step and before not in (None, threads):
        recorder.say(
            f"It was trained with {before} threads until now, and goes on with {threads}: from "
            "here on numbers may differ in their last digits from an uninterrupted run."
        )
    recorder.update(precision=precision, threads=threads)


def _follow(
    training: "Training",
    recorder: Recorder,
    stop: Stop,
    on_event: Callable[["Event"], None] | None,
) -> None:
    """Write down every event until the training ends; Stopped before when asked."""
    from unet_core.training.trainer import Checking, Epoch, Step

    for event in training.events():
        if isinstance(event, Step):
            stop.remember(training.network)
            if recorder.is_first_step:
                device.give_way()  # only now: the first point of the curve comes as soon as it can
            recorder.add_step(event)
        elif isinstance(event, Checking):
            recorder.add_checking(event)
        elif isinstance(event, Epoch):
            recorder.add_epoch(event, training)
        if on_event is not None:
            on_event(event)
        if stop.is_asked():
            raise Stopped


def _tune(training: "Training", recorder: Recorder, stop: Stop) -> str:
    """Choose and store segmentation settings; gives why the default ones were kept, if they were.

    The network is trained and saved by now: nothing that happens here may make that a failure.
    """
    try:
        _store_thresholds(training, recorder, stop)
    except Stopped:
        return "Stopped while choosing thresholds: the default ones are kept."
    except OSError as error:
        why = error.strerror or error
        return f"Thresholds could not be chosen and saved ({why}): the default ones are kept."
    return ""


def _store_thresholds(training: "Training", recorder: Recorder, stop: Stop) -> None:
    """Choose segmentation settings on the validation images and store them with the weights."""
    from unet_core.data import datasets
    from unet_core.network import checkpoint
    from unet_core.scoring import landscape, predictions

    config, path = training.config, recorder.run.path / "best.safetensors"
    if datasets.info(config.images.data).labels != "instances":
        return

    def look(*progress: int) -> None:
        if stop.is_asked():
            raise Stopped

    recorder.update(phase="tuning", seconds_left=None)
    scheme = datasets.resolve_scheme(config.images.data, config.images.scheme)
    names = datasets.sample_names(config.images.data, "val", scheme=scheme)
    if names:
        recorder.say("Choosing thresholds on the validation images.")
    else:
        recorder.say("There are no validation images to choose thresholds on: the usual ones stay.")
    trained = checkpoint.load(path, device=config.optimisation.device)
    with stop.interrupting():
        answers = predictions.predict_each(
            trained,
            config.images.data,
            "val",
            datasets.pick_evenly(names, config.images.val_images),
            predictions.WHOLE,
            on_progress=look,
        )
        predicted = [predictions.decode(one, trained.config) for one in answers]
        chosen = landscape.choose(predicted, trained.config, on_progress=look)
    tuned_on = f"{len(predicted)} validation images of {config.images.data}, scheme {scheme}"
    better = trained.config.replace(segmentation=chosen, tuned_on=tuned_on if predicted else "")
    checkpoint.save(path, checkpoint.Trained(better, trained.network))
