"""The command line: flags and environment variables made from the fields of Config and Limits."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from .. import Limits
from . import service
from .config import Config
from .version import version_line

EPILOG = """\
Every option has an environment variable: --max-size is LONGLINK_MAX_SIZE. Where a number is
followed by |none, the word none switches the limit off.
"""
NAMES = {int: "INTEGER", float: "FLOAT"}
BAD_USAGE = 2


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


def make_options(owner: type) -> list[click.Parameter]:
    """One option for each field of a dataclass that says what it means in its metadata."""
    hints = get_type_hints(owner)
    return [
        make_option(entry, hints[entry.name], owner) for entry in fields(owner) if entry.metadata
    ]


def make_option(entry: Field[Any], hint: Any, owner: type) -> click.Option:
    """The flag (`--max-size`) and environment variable (`LONGLINK_MAX_SIZE`) of one field."""
    flag = "--" + entry.name.replace("_", "-")
    kind, optional = _unwrap(hint)
    settings: dict[str, Any] = {}
    if kind is bool:
        flag = f"{flag}/--no-{flag[2:]}" if optional else flag
        settings["is_flag"] = True
    elif get_origin(kind) is Literal:
        settings["type"] = click.Choice(get_args(kind))
    elif get_origin(kind) is tuple:
        settings["multiple"] = True
    elif kind in NAMES:
        settings["type"] = Number(kind, optional=optional)
    return click.Option(
        [flag, entry.name],
        default=entry.default,
        envvar="LONGLINK_" + entry.name.upper(),
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


def make_config(options: dict[str, Any]) -> Config:
    """The configuration that parsed options say."""
    names = {entry.name for entry in fields(Limits)}
    limits = {name: value for name, value in options.items() if name in names}
    own = {name: value for name, value in options.items() if name not in names}
    return Config(limits=Limits(**limits), **own)


def _serve(**options: Any) -> int:
    source = click.get_current_context().get_parameter_source
    for name in ("host", "port"):
        if options["uds"] and source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--uds is instead of --host and --port, but --{name} was given")
    return service.run(make_config(options))


def make_group() -> click.Group:
    """The command `longlink` with what can follow it."""
    group = click.Group("longlink", help="Real-time push for Python.")
    group.add_command(
        click.Command(
            "serve",
            callback=_serve,
            params=[*make_options(Config), *make_options(Limits)],
            help="Serve a page where everybody who opens it talks to each other, and programs too.",
            epilog=EPILOG,
        )
    )
    show = click.version_option(
        version_line(), message="%(version)s", help="Show what runs here and exit."
    )
    return show(group)


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    try:
        code = make_group().main(arguments, prog_name="longlink", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_USAGE
    except click.ClickException as error:
        print(f"longlink: {_complaint(error)}", file=sys.stderr)
        return error.exit_code
    return code if isinstance(code, int) else 0


def _complaint(error: click.ClickException) -> str:
    """One line; it names the environment variable when the value came from there."""
    text = error.format_message()
    if (
        isinstance(error, click.BadParameter)
        and error.ctx
        and isinstance(error.param, click.Option)
    ):
        source = error.ctx.get_parameter_source(str(error.param.name))
        if source is click.core.ParameterSource.ENVIRONMENT:
            text = text.replace(f"'{error.param.opts[0]}'", str(error.param.envvar))
    return text[0].lower() + text[1:]
