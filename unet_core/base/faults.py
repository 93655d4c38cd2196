"""What to tell people about an exception: one sentence, and whose fault it was."""

import dis
import errno
from collections.abc import Iterator
from pathlib import Path

OWN = Path(__file__).resolve().parents[1]


def explain(error: BaseException) -> str:
    """One sentence on what went wrong, and what helps."""
    chain = list(_causes(error))
    numbers = {one.errno for one in chain if isinstance(one, OSError)}
    words = " ".join(str(one) for one in chain)
    if numbers & {errno.ENOSPC, errno.EDQUOT} or "No space left" in words:
        return "The disk is full: make room, then start again."
    if numbers & {errno.EFBIG} or "File too large" in words:
        return "A file has reached the size limit of this account: raise it, then start again."
    if is_memory(error):
        return "The memory is full: choose a smaller batch size, crop size or network."
    first = str(error).partition("\n")[0].rstrip(".")
    if is_deliberate(error) or (isinstance(error, OSError) and error.errno is None):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"A file cannot be read or written ({first})."
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    return f"A fault in the program ({type(error).__name__}: {first}); the log has the details."


def exit_code(error: BaseException) -> int:
    """For a command: 2 the caller's mistake, 3 the surroundings, 130 interrupted, 1 a bug."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, OSError) or is_memory(error):
        return 3
    return 2 if is_deliberate(error) else 1


def is_memory(error: BaseException) -> bool:
    """Whether the memory of the computer or of its GPU was too small."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def is_deliberate(error: BaseException, *more: Path) -> bool:
    """Whether a ValueError was raised on purpose, by code of unet_core or below `more` folders.

    Functions written in C leave no trace of their own: what `int("x")` raises seems to come from
    our line, which is told by the instruction there: it is a call, and not a `raise`.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not isinstance(error, ValueError):
        return False
    code = last.tb_frame.f_code
    is_own = any(Path(code.co_filename).is_relative_to(place) for place in (OWN, *more))
    return is_own and code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
