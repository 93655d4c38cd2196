"""How the runs that have finished here compare with what was expected of them."""

import statistics

from unet_core.runs import runs

LOOKED_AT = 15  # of the runs, the newest


def correction(device: str) -> float:
    """What an estimate for a device, by its title, is to be multiplied with.

    The median over its newest finished runs of the seconds they took for all their steps over
    those that were expected; 1 where none has finished.
    """
    found = [run.status() for run in runs.list_runs()]
    ratios = [
        status.seconds * status.steps / status.step / status.expected_seconds
        for status in found
        if status.state == "finished" and status.device == device
        if status.step and status.expected_seconds
    ]
    return statistics.median(ratios[:LOOKED_AT]) if ratios else 1.0
