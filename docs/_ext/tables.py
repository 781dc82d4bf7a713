"""Tables of options: from the dataclass of limits, and from the commands as click knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import Field, fields
from typing import Any

import click

import longlink
import longlink.line
from longlink import CloseCode, Limits
from longlink.cli.group import COMMANDS, make_group
from longlink.errors import CLOSE_CODES
from longlink.wire.frame import WIRE_CODES


def limits() -> str:
    """Every limit: name, default, unit, what it does."""
    return "\n\n".join(
        f"`{entry.name}`\n: {_sentence(entry.metadata['help'])}{_default(entry)}"
        for entry in fields(Limits)
    )


def _default(entry: Field[Any]) -> str:
    """Empty for None: what that means is said in the help."""
    if isinstance(entry.default, int | float):
        number = f"{entry.default:g}" if isinstance(entry.default, float) else f"{entry.default:,}"
        return f" Default: {number} {entry.metadata['unit']}."
    return "" if entry.default is None else f" Default: `{entry.default}`."


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{_cell(words[1:])}."


def close_codes() -> str:
    """Every close code that has a name: whether it travels, and what it says."""
    rows = ["| code | name | travels | shown as |", "|---|---|---|---|"]
    for code in CloseCode:
        travels = "yes" if code in WIRE_CODES else "never"
        rows.append(f"| {int(code)} | `{code.name}` | {travels} | {CLOSE_CODES[code]} |")
    return "\n".join(rows)


def commands() -> str:
    """Every command with its options."""
    group = make_group()
    context = click.Context(group, info_name="longlink")
    return "\n\n".join(_command(group, context, name) for name in COMMANDS)


def exceptions() -> str:
    """Every exception as users import it, each below the one that it is a kind of."""
    parts = ["```{eval-rst}", ".. automodule:: longlink.errors", ""]
    for module in (longlink, longlink.line):
        parts.append(f".. currentmodule:: {module.__name__}")
        found = {name: getattr(module, name) for name in module.__all__}
        kinds = {
            name: thing
            for name, thing in found.items()
            if isinstance(thing, type) and issubclass(thing, Exception) and name == thing.__name__
        }
        for name in sorted(kinds, key=lambda name: _line_of(kinds[name])):
            parts += [f".. autoexception:: {name}", "   :members:"]
    return "\n".join([*parts, "```"])


def _line_of(kind: type) -> list[str]:
    """From the oldest ancestor down: sorts a family tree."""
    return [each.__name__ for each in reversed(kind.__mro__)]


def _command(group: click.Group, above: click.Context, name: str, depth: int = 2) -> str:
    command = group.get_command(above, name)
    assert command is not None, name
    context = click.Context(command, info_name=name, parent=above)
    parts = [f"{'#' * depth} {context.command_path}", _prose(command.help)]
    if isinstance(command, click.Group):
        parts += [
            _command(command, context, each, depth + 1) for each in command.list_commands(context)
        ]
    else:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        parts += [_block(usage), *_options(command, context)]
    parts.append(_prose(command.epilog))
    return "\n\n".join(part for part in parts if part)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    shown: Iterable[Any] = [
        each for each in command.get_params(context) if isinstance(each, click.Option)
    ]
    for option in shown:
        record = option.get_help_record(context)
        if record is None or option.name == "help":
            continue
        flags, words = record
        variable = f" Environment: `{option.envvar}`." if option.envvar else ""
        yield f"`{flags}`\n: {_cell(words)}{variable}"


def _prose(words: str | None) -> str:
    """Help as Markdown; what click keeps as it stands is a block."""
    parts = []
    for part in (words or "").strip().split("\n\n"):
        kept = part.startswith("\b")
        parts.append(_block(part.removeprefix("\b\n")) if kept else _cell(part))
    return "\n\n".join(parts)


def _block(words: str) -> str:
    return f"```text\n{words}\n```"


def _cell(words: str) -> str:
    """Text that means nothing in Markdown."""
    for mark in "\\|*_<[`":
        words = words.replace(mark, "\\" + mark)
    return words
