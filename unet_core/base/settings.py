"""The base of all settings: frozen, self-checking dataclasses that round-trip through JSON.

The help text, limits and choices of an option stand beside its default and serve the command
line, the widgets' tooltips and the error messages alike.
"""

import math
import types
import typing
from dataclasses import MISSING, Field, asdict, field, fields, replace
from typing import Any, Self


def option(
    default: Any,
    help: str,
    *,
    group: str = "",
    choices: tuple[Any, ...] = (),
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A dataclass field that knows its help text, its choices and its inclusive limits."""
    about = {"help": help, "group": group, "choices": choices, "low": low, "high": high}
    return field(default=default, metadata=about)


def _same_kind(value: Any, hint: Any) -> bool:
    """Whether a value has the type of its annotation; whole numbers pass for floats."""
    if isinstance(hint, types.UnionType):
        return any(_same_kind(value, one) for one in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return isinstance(value, tuple) and all(_same_kind(one, kind) for one in value)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _check_option(about: Field, hint: Any, value: Any) -> None:
    if not _same_kind(value, hint):
        raise ValueError(f"{about.name} must be {describe_type(hint)}, got {value!r}")
    # JSON has no infinity and no NaN, and no setting has a use for them.
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError(f"{about.name} must be a finite number, got {one!r}")
    if value is None or not about.metadata:
        return
    choices, low, high = (about.metadata[key] for key in ("choices", "low", "high"))
    for one in value if isinstance(value, tuple) else (value,):
        if choices and one not in choices:
            raise ValueError(
                f"{about.name} must be one of {', '.join(map(str, choices))}, got {one!r}"
            )
        if low is not None and one < low:
            raise ValueError(f"{about.name} must be at least {low:g}, got {one!r}")
        if high is not None and one > high:
            raise ValueError(f"{about.name} must be at most {high:g}, got {one!r}")


def describe_type(hint: Any) -> str:
    """The words for a type in an error message."""
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        type(None): "null",
    }
    if hint in words:
        return words[hint]
    if typing.get_origin(hint) is tuple:
        return "a list of " + words[typing.get_args(hint)[0]].removeprefix("a ") + "s"
    if isinstance(hint, types.UnionType):
        return " or ".join(describe_type(one) for one in typing.get_args(hint))
    return f"a {hint.__name__} object"


class Settings:
    """What all settings share: checks at construction, JSON there and back, text to value."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for about in fields(self):  # type: ignore[arg-type]
            _check_option(about, hints[about.name], getattr(self, about.name))
        self.check()

    def check(self) -> None:
        """Raise ValueError where options that are fine alone contradict each other."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; tuples become lists there."""
        return asdict(self)  # type: ignore[call-overload]

    def replace(self, **changes: Any) -> Self:
        """A copy with some options changed, checked again."""
        self._refuse_unknown(changes)
        return replace(self, **changes)  # type: ignore[type-var]

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Settings from what `to_dict` gave.

        Raises ValueError for anything but an object, an unknown key or an impossible value.
        """
        if not isinstance(values, dict):
            raise ValueError(f"{cls.__name__} must be a JSON object, got {type(values).__name__}")
        cls._refuse_unknown(values)
        hints = typing.get_type_hints(cls)
        given = {name: _from_json(value, hints[name]) for name, value in values.items()}
        missing = [
            about.name
            for about in fields(cls)  # type: ignore[arg-type]
            if about.default is MISSING and about.name not in given
        ]
        if missing:
            raise ValueError(f"{cls.__name__} lacks {', '.join(missing)}")
        return cls(**given)

    @classmethod
    def _refuse_unknown(cls, names: Any) -> None:
        known = [about.name for about in fields(cls)]  # type: ignore[arg-type]
        for name in names:
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known are: {', '.join(known)}")

    def with_text(self, assignments: list[str]) -> Self:
        """A copy changed by texts like `epochs=3` or `channels=16,32,64`."""
        hints = typing.get_type_hints(type(self))
        changes = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise ValueError(f"a setting is written key=value, got {assignment!r}")
            self._refuse_unknown([name])
            changes[name] = _from_text(name, text.strip(), hints[name])
        return self.replace(**changes)


def _from_json(value: Any, hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Settings):
        return hint.from_dict(value)
    return tuple(value) if isinstance(value, list) else value


def _from_text(name: str, text: str, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        hints = typing.get_args(hint)
        if text.lower() in ("", "none", "null"):
            return None
        return _from_text(name, text, next(one for one in hints if one is not type(None)))
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return tuple(_from_text(name, one.strip(), kind) for one in text.split(",") if one.strip())
    if hint is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() in ("true", "yes", "1", "on")
    try:
        return hint(text)
    except ValueError:
        raise ValueError(f"{name} must be {describe_type(hint)}, got {text!r}") from None
