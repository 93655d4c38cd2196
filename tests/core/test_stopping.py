import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unet_core.stopping import Stop, Stopped


class Slow(torch.autograd.Function):
    """The identity; its gradient takes half a second."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        time.sleep(0.5)
        return grads[0]


class SlowNetwork(nn.Module):
    """Twenty layers whose backward pass takes ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(20))
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = Slow.apply(layer(x))
        return self.norm(x)


@pytest.fixture
def stop(tmp_path: Path) -> Stop:
    return Stop(tmp_path / "stop")


def test_a_long_step_is_interrupted_in_its_backward_pass(stop: Stop) -> None:
    network = SlowNetwork()
    before = network.norm.running_mean.clone()  # type: ignore[union-attr,operator]
    timer = threading.Timer(0.2, stop.file.touch)
    timer.start()
    started = time.monotonic()
    with stop.listening(), pytest.raises(Stopped), stop.interrupting_steps(network):
        network(torch.randn(4, 2)).sum().backward()
    assert time.monotonic() - started < 5
    assert stop.signal is None
    torch.testing.assert_close(network.norm.running_mean, before, rtol=0, atol=0)


def test_nothing_is_interrupted_while_weights_may_change(stop: Stop) -> None:
    weights = [nn.Parameter(torch.ones(3))]
    optimizer = torch.optim.AdamW(weights)
    weights[0].grad = torch.ones(3)
    with stop.listening(), stop.interrupting_steps(nn.Linear(2, 2)):
        optimizer.register_step_post_hook(lambda *_: signal.raise_signal(signal.SIGTERM))
        optimizer.step()
    assert stop.is_asked()


def test_a_second_ctrl_c_ends_at_once(stop: Stop) -> None:
    with stop.listening():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_was_asked_before_raises_at_the_entrance(stop: Stop) -> None:
    stop.file.touch()
    with pytest.raises(Stopped), stop.interrupting():
        pytest.fail("it went in")


def test_an_error_that_wraps_the_stop_is_the_stop(stop: Stop) -> None:
    with pytest.raises(Stopped), stop.interrupting():  # noqa: PT012
        stop.file.touch()
        raise ImportError("wrapped")


def test_other_errors_pass(stop: Stop) -> None:
    with pytest.raises(ImportError), stop.interrupting():
        raise ImportError


def test_in_another_thread_the_file_is_heard_too(stop: Stop) -> None:
    heard = []

    def work() -> None:
        with stop.listening(), stop.interrupting():
            stop.file.touch()
            heard.append(stop.is_asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [True]


def test_without_a_request_nothing_happens(stop: Stop) -> None:
    network = nn.Linear(2, 2)
    with stop.listening(), stop.interrupting_steps(network):
        network(torch.randn(4, 2)).sum().backward()
    assert not stop.is_asked()
    assert not network.weight._post_accumulate_grad_hooks  # type: ignore[attr-defined]
