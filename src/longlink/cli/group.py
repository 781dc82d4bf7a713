"""The command `longlink`: which commands it has, and what becomes of a mistake."""

from __future__ import annotations

import importlib
import sys

import click

from ..server.version import version_line

BAD_USAGE = 2

# Name, and what the list in --help says. A command's module is imported when it is asked for:
# whoever sends one message does not wait for an HTTP server.
COMMANDS: dict[str, str] = {
    "serve": "Serve a page where everybody who opens it talks to each other, and programs too.",
}


class Commands(click.Group):
    """The commands of the table, each from the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f".{cmd_name}", __package__).make_command()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def make_group() -> click.Group:
    """The command `longlink` with what can follow it."""
    show = click.version_option(
        version_line(), message="%(version)s", help="Show what runs here and exit."
    )
    group: click.Group = show(Commands("longlink", help="Real-time push for Python."))
    return group


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
