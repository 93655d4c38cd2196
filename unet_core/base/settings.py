"""The base of all settings: frozen, self-checking dataclasses that round-trip through JSON.

The help text, limits and choices of an option stand beside its default and serve the command
line, the widgets' tooltips and the error messages alike.
"""

import functools
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields, replace
from typing import Any, ClassVar, Self

_known_hints = functools.cache(typing.get_type_hints)


def _type_hints(kind: Any) -> dict[str, Any]:
    return _known_hints(kind)


def option(
    default: Any,
    help: str,
    *,
    group: str = "",
    choices: tuple[Any, ...] = (),
    low: float | None = None,
    high: float | None = None,
    label: str = "",
    unit: str = "",
    top: float | None = None,
    step: float | None = None,
) -> Any:
    """A dataclass field that knows its help text, its choices and its inclusive limits.

    For whoever draws it: the words over it where its name is none, its unit, where a slider ends
    when what is allowed is far more than is usual, and what one press of + adds.
    """
    about = {"help": help, "group": group, "choices": choices, "low": low, "high": high}
    about |= {"label": label, "unit": unit, "top": top, "step": step}
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

    # What options were called before, for old files and old commands.
    renamed: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        hints = _type_hints(type(self))
        for about in fields(self):  # type: ignore[arg-type]
            _check_option(about, hints[about.name], getattr(self, about.name))
        self.check()

    def check(self) -> None:
        """Raise ValueError where options that are fine alone contradict each other."""

    @classmethod
    def options(cls) -> dict[str, Field]:
        """Every option by its name; help, limits and choices are in its metadata."""
        return {about.name: about for about in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """The type of every option by its name."""
        hints = _type_hints(cls)
        return {name: hints[name] for name in cls.options()}

    @classmethod
    def check_option(cls, name: str, value: Any) -> None:
        """Raise ValueError for an unknown option, or a value that it cannot have by itself."""
        (name,) = cls._by_present_name({name: value})
        hint = cls.hints()[name]
        _check_option(cls.options()[name], hint, _from_json(value, hint))

    def get(self, name: str) -> Any:
        """The value of the option of that name."""
        return getattr(self, name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, by the names of the options; tuples become lists there."""
        return {name: _to_json(self.get(name)) for name in self.options()}

    def replace(self, **changes: Any) -> Self:
        """A copy with some options changed, checked again."""
        return replace(self, **self._by_present_name(changes))  # type: ignore[type-var]

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Settings from what `to_dict` gave, now or in an earlier version.

        Raises ValueError for anything but an object, an unknown key or an impossible value.
        """
        if not isinstance(values, dict):
            raise ValueError(f"{cls.__name__} must be a JSON object, got {type(values).__name__}")
        hints = cls.hints()
        given = cls._by_present_name(values)
        missing = [
            name
            for name, about in cls.options().items()
            if about.default is MISSING and name not in given
        ]
        if missing:
            raise ValueError(f"{cls.__name__} lacks {', '.join(missing)}")
        return cls.of(**{name: _from_json(value, hints[name]) for name, value in given.items()})

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Settings with these options, and the others at their defaults."""
        return cls(**cls._by_present_name(options))

    @classmethod
    def _by_present_name(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by what their options are called today; ValueError for unknown ones."""
        known = cls.options()
        found = {cls.renamed.get(name, name): value for name, value in values.items()}
        for name in found:
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known are: {', '.join(known)}")
        return found

    def with_text(self, assignments: Iterable[str]) -> Self:
        """A copy changed by texts like `epochs=3` or `widths=16,32,64`."""
        hints = self.hints()
        changes = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ValueError(f"a setting is written key=value, got {assignment!r}")
            (known,) = self._by_present_name({name.strip().replace("-", "_"): text})
            changes[known] = _from_text(known, text.strip(), hints[known])
        return self.replace(**changes)


class Groups(Settings):
    """Settings in groups, each a `Settings` with options and a check of its own.

    Code reads an option from its group. Everywhere else, in JSON, on the command line, in forms, it
    is known by its name alone, which no two groups share.
    """

    @classmethod
    def groups(cls) -> dict[str, type[Settings]]:
        """The groups by their names."""
        hints = _type_hints(cls)
        return {about.name: hints[about.name] for about in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def options(cls) -> dict[str, Field]:
        """Every option of every group by its name."""
        return {name: one for kind in cls.groups().values() for name, one in kind.options().items()}

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """The type of every option by its name."""
        return {name: one for kind in cls.groups().values() for name, one in kind.hints().items()}

    def get(self, name: str) -> Any:
        """The value of the option of that name, whichever group has it."""
        home = next(group for group, kind in self.groups().items() if name in kind.options())
        return getattr(getattr(self, home), name)

    def replace(self, **changes: Any) -> Self:
        """A copy with some options changed, checked again."""
        changes = self._by_present_name(changes)
        return replace(  # type: ignore[type-var]
            self,
            **{
                group: getattr(self, group).replace(**own)
                for group, kind in self.groups().items()
                if (own := {name: changes[name] for name in kind.options() if name in changes})
            },
        )

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Settings with these options, and the others at their defaults."""
        options = cls._by_present_name(options)
        return cls(
            **{
                group: kind.of(
                    **{name: options[name] for name in kind.options() if name in options}
                )
                for group, kind in cls.groups().items()
            }
        )


def _to_json(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Settings) else value


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
        return _list_from_text(name, text, typing.get_args(hint)[0])
    if hint is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() in ("true", "yes", "1", "on")
    try:
        return hint(text)
    except ValueError:
        raise ValueError(f"{name} must be {describe_type(hint)}, got {text!r}") from None


def _list_from_text(name: str, text: str, kind: type) -> tuple[Any, ...]:
    """Values with commas between them; an empty text is an empty list."""
    if not text:
        return ()
    parts = [one.strip() for one in text.split(",")]
    if "" in parts:
        raise ValueError(f"{name} must have a value on each side of a comma, got {text!r}")
    if kind is not str and any(len(one.split()) > 1 for one in parts):
        written = ", ".join(text.replace(",", " ").split())
        raise ValueError(f"{name} must have commas between its numbers, {written}: got {text!r}")
    return tuple(_from_text(name, one, kind) for one in parts)
