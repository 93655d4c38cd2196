import errno

import pytest

from unet_core import faults
from unet_core.config import TrainConfig


def caught(action: object) -> BaseException:
    try:
        action()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raising(error: BaseException) -> BaseException:
    def action() -> None:
        raise error

    return caught(action)


def test_a_mistake_that_this_package_names_is_told_as_it_is() -> None:
    error = caught(lambda: TrainConfig(epochs=0))
    assert faults.exit_code(error) == 2
    assert faults.explain(error) == "epochs must be at least 1, got 0"


def test_a_value_error_from_elsewhere_is_a_bug() -> None:
    error = caught(lambda: int("x"))
    assert faults.exit_code(error) == 1
    assert "ValueError" in faults.explain(error)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_recognised_behind_another_error(number: int) -> None:
    def action() -> None:
        try:
            raise OSError(number, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904  # as torch does

    assert faults.explain(caught(action)).startswith("The disk is full")


def test_a_full_disk_is_recognised_by_its_words() -> None:
    assert faults.explain(raising(OSError("No space left on device (os error 28)"))).startswith(
        "The disk is full"
    )


def test_codes_of_the_surroundings() -> None:
    assert faults.exit_code(raising(PermissionError(errno.EACCES, "no"))) == 3
    assert faults.exit_code(raising(MemoryError())) == 3
    assert faults.exit_code(raising(KeyboardInterrupt())) == 130
    assert faults.explain(raising(MemoryError())).startswith("The memory is full")


def test_sentences_have_one_line() -> None:
    for error in (RuntimeError("a\nb"), OSError("a\nb"), PermissionError(errno.EACCES, "a\nb")):
        assert "\n" not in faults.explain(raising(error))
