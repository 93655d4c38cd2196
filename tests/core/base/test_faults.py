import errno
from pathlib import Path

import numpy as np
import pytest

from unet_core.base import faults
from unet_core.base.config import TrainConfig


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
    error = caught(lambda: TrainConfig.of(epochs=0))
    assert faults.exit_code(error) == 2
    assert faults.explain(error) == "epochs must be at least 1, got 0"


def test_a_value_error_from_elsewhere_is_a_bug() -> None:
    error = caught(lambda: int("x"))
    assert faults.exit_code(error) == 1
    assert "ValueError" in faults.explain(error)


def run_as(path: Path, source: str) -> BaseException:
    """What a line of some file raises."""
    return caught(lambda: exec(compile(source, path, "exec"), {"np": np}))


@pytest.mark.parametrize(
    "source", ['int("x")', "list(zip([1], [1, 2], strict=True))", "np.zeros(2) + np.zeros(3)"]
)
def test_what_a_function_in_c_raises_in_this_package_is_a_bug(source: str) -> None:
    error = run_as(faults.OWN / "model.py", source)
    assert isinstance(error, ValueError)
    assert faults.exit_code(error) == 1
    again = f"try:\n    {source}\nexcept ValueError:\n    raise"
    assert faults.exit_code(run_as(faults.OWN / "model.py", again)) == 1


def test_what_another_folder_raises_is_deliberate_only_where_that_is_named(tmp_path: Path) -> None:
    error = run_as(tmp_path / "form.py", 'raise ValueError("no")')
    assert not faults.is_deliberate(error)
    assert faults.is_deliberate(error, tmp_path)
    assert not faults.is_deliberate(run_as(tmp_path / "form.py", 'int("x")'), tmp_path)


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
