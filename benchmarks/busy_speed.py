"""How fast a training is beside a program that keeps every core busy, and how slow the interface.

The old way beside the new one: threads that spin while they wait for each other, the first of which
gives way by 5, and threads that sleep, all of which give way by 3. At least a fifth of the free
speed is wanted beside one busy program. The network is that of the preset `quick`.

Once each program has a session of its own, as those that a page starts have: Linux may then share
the cores between sessions and overlook niceness (autogroup). Once all are in one session, where
niceness counts. All measurements take turns and medians are given, since other programs disturb.
"""

import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

import record

from unet_core.base import device

SECONDS, REPEATS = 4.0, 5
WANTED = 0.2  # of the free speed
WAYS = ("old", "new")


def train(way: str) -> None:
    """The trainer: a line "images per second, images per second of a core" for each line read."""
    if way == "new":
        device.share_cores()
    from unet_core.training import presets
    from unet_core.training.trainer import Training

    config = presets.preset("quick").config.replace(
        data="synthetic-nuclei", device="cpu", precision="float32", val_images=1
    )
    training = Training(config, device=device.choose("cpu"))
    training.train_step()
    if way == "new":
        give_way_as_if_started_by_a_page()
    else:
        os.nice(5)
    training.train_step()
    print("ready", flush=True)
    for _ in sys.stdin:
        start, start_cpu, steps = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < SECONDS:
            training.train_step()
            steps += 1
        taken, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        images = steps * config.optimisation.batch_size
        print(images / taken, images / cpu, flush=True)


def give_way_as_if_started_by_a_page() -> None:
    """In whatever session this is."""
    getsid, os.getsid = os.getsid, lambda _: os.getpid()
    device.give_way()
    os.getsid = getsid


def spin() -> None:
    """A program that keeps every core busy."""
    leader = os.getpid()
    for _ in range(device.count_cores() - 1):
        if os.fork() == 0:
            while os.getppid() == leader:
                pass
            return
    while True:
        pass


def answer() -> None:
    """An interface: computes for about 20 ms, ten times a second; how many ms that took, median."""
    print("ready", flush=True)
    for _ in sys.stdin:
        taken, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            sum(range(1_000_000))
            taken.append(time.perf_counter() - start)
            time.sleep(0.1)
        print(1000 * statistics.median(taken), flush=True)


class Program:
    """One of the above in a process; those that measure do so for each line they are sent."""

    def __init__(self, *words: str, own_session: bool) -> None:
        # Whoever starts this must not choose for both ways how threads wait.
        environment = {key: value for key, value in os.environ.items() if "OMP_" not in key}
        self.process = subprocess.Popen(
            [sys.executable, __file__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=own_session,
        )

    def ask(self) -> None:
        """Let it measure."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def read(self) -> list[float]:
        """What it has measured; nothing of a line of words."""
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        return [] if words == ["ready"] else [float(word) for word in words]

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def measure(*, own_session: bool) -> dict[str, object]:
    """Both ways by turns, alone, beside a busy program, and with somebody at the interface."""
    rates: dict[str, list[list[float]]] = {}
    moments: dict[str, list[float]] = {}
    with ExitStack() as stack:

        def start(*words: str) -> Program:
            program = Program(*words, own_session=own_session)
            stack.callback(program.end)
            return program

        trainers, interface = {way: start("train", way) for way in WAYS}, start("answer")
        for program in (*trainers.values(), interface):
            program.read()
        for _ in range(REPEATS):
            moments.setdefault("alone", []).extend(ask(interface))
            for way, trainer in trainers.items():
                rates.setdefault(f"{way} alone", []).append(ask(trainer))
            for way, trainer in trainers.items():
                other = Program("spin", own_session=own_session)
                rates.setdefault(f"{way} busy", []).append(ask(trainer))
                other.end()
            for way, trainer in trainers.items():
                trainer.ask()
                moments.setdefault(f"beside the {way} way", []).extend(ask(interface))
                trainer.read()
    found: dict[str, object] = {}
    for way in WAYS:
        alone, beside = (
            [statistics.median(column) for column in zip(*rates[f"{way} {where}"], strict=True)]
            for where in ("alone", "busy")
        )
        found[way] = {
            "images_per_second": round(alone[0], 1),
            "images_per_second_beside_a_busy_program": round(beside[0], 1),
            "kept": round(beside[0] / alone[0], 2),
            "images_per_second_of_a_core": round(alone[1], 1),
            "images_per_second_of_a_core_beside_a_busy_program": round(beside[1], 1),
        }
    found["ms_of_a_moment_at_the_interface"] = {
        where: round(statistics.median(values), 1) for where, values in moments.items()
    }
    return found


def ask(program: Program) -> list[float]:
    """What a program measures now."""
    program.ask()
    return program.read()


def main() -> None:
    numbers: dict[str, object] = {"wanted_to_be_kept": WANTED, "threads": device.count_cores()}
    numbers["sessions_of_their_own"] = measure(own_session=True)
    numbers["one_session"] = measure(own_session=False)
    record.save("busy_speed", numbers)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["train", way]:
            train(way)
        case ["spin"]:
            spin()
        case ["answer"]:
            answer()
