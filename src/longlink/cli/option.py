"""Flags and environment variables made from the fields of a dataclass that say what they mean."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection
from dataclasses import Field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click

NAMES = {int: "INTEGER", float: "FLOAT"}


class Number(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A whole or real number, or "none" where that is allowed."""

    def __init__(self, kind: type, *, optional: bool) -> None:
        self.name = NAMES[kind] + ("|none" if optional else "")
        self._kind, self._optional = kind, optional

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What --help shows in place of the value."""
        return self.name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float | None:
        """The number that was typed."""
        if self._optional and str(value).lower() == "none":
            return None
        try:
            number: int | float = self._kind(value)
        except ValueError:
            what = "a whole number" if self._kind is int else "a number"
            self.fail(f"{value!r} is not {what}{self._or_none()}", param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number{self._or_none()}", param, ctx)
        return number

    def _or_none(self) -> str:
        return " or none" if self._optional else ""


def make_options(
    owner: type, *, environment: bool = True, only: Collection[str] | None = None
) -> list[click.Parameter]:
    """One option for each field of a dataclass that says what it means in its metadata.

    A field's metadata: `help`, and where wanted `unit`, `short` (such as "-H"), `metavar`, and
    `path`, for which shells complete the names of files.

    Args:
        environment: whether each has an environment variable, too. Those are a server's: a tool
            that is told what to do each time would be led astray by them.
        only: the names of the fields wanted; None for all.
    """
    hints = get_type_hints(owner)
    return [
        make_option(entry, hints[entry.name], owner, environment=environment)
        for entry in fields(owner)
        if entry.metadata and (only is None or entry.name in only)
    ]


def make_option(
    entry: Field[Any], hint: Any, owner: type, *, environment: bool = True
) -> click.Option:
    """The flag (`--max-size`) and environment variable (`LONGLINK_MAX_SIZE`) of one field."""
    flag = "--" + entry.name.replace("_", "-")
    short = [entry.metadata["short"]] if "short" in entry.metadata else []
    kind, optional = _unwrap(hint)
    settings: dict[str, Any] = {}
    if kind is bool:
        flag = f"{flag}/--no-{flag[2:]}" if optional else flag
        settings["is_flag"] = True
    elif get_origin(kind) is Literal:
        settings["type"] = click.Choice(get_args(kind))
    elif get_origin(kind) is tuple:
        settings["multiple"] = True
    elif entry.metadata.get("path"):
        settings["type"] = click.Path()
    elif kind in NAMES:
        settings["type"] = Number(kind, optional=optional)
    return click.Option(
        [*short, flag, entry.name],
        default=entry.default,
        envvar="LONGLINK_" + entry.name.upper() if environment else None,
        metavar=entry.metadata.get("metavar"),
        help=_help(entry),
        callback=_judge(owner),
        show_default=entry.default not in (None, (), False),
        **settings,
    )


def _unwrap(hint: Any) -> tuple[Any, bool]:
    """`int | None` becomes (int, True), anything else (hint, False)."""
    if get_origin(hint) in (Union, types.UnionType):
        (kind,) = (part for part in get_args(hint) if part is not type(None))
        return kind, True
    return hint, False


def _help(entry: Field[Any]) -> str:
    text: str = entry.metadata["help"]
    unit = entry.metadata.get("unit")
    return f"{text[0].upper()}{text[1:]}{f' ({unit})' if unit else ''}."


def _judge(owner: type) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that asks `owner` itself whether a value is in range."""

    def judge(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            owner(**{str(param.name): value})
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None
        return value

    return judge
