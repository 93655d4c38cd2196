import signal
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from unet_core.runs.stopping import Stop, Stopped


class SlowNetwork(nn.Module):
    """Its backward pass takes a second, without a word of Python."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(24)))
        self.norm = nn.BatchNorm1d(1024)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layers(x))


@pytest.fixture
def stop(tmp_path: Path) -> Stop:
    return Stop(tmp_path / "stop")


def test_a_long_step_is_interrupted_in_its_backward_pass(stop: Stop) -> None:
    network = SlowNetwork()
    before = network.norm.running_mean.clone()  # type: ignore[union-attr,operator]

    def step() -> None:
        loss = network(torch.randn(2048, 1024)).square().mean()
        stop.file.touch()
        loss.backward()

    with stop.listening(), pytest.raises(Stopped), stop.interrupting_steps(network):
        step()
    assert network.layers[0].weight.grad is None  # the gradient did not come this far
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
