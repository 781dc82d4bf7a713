"""The command `longlink`: which commands it has, and what becomes of a mistake."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys

import click

from ..server.version import version_line
from .complaint import complaint

BAD_USAGE = 2

# Name, and what the list in --help says. A command's module is imported when it is asked for:
# whoever sends one message does not wait for an HTTP server.
COMMANDS: dict[str, str] = {
    "serve": "Serve a page where everybody who opens it talks to each other, and programs too.",
    "connect": "Talk to a WebSocket server: by hand, in a pipe or in a script.",
    "bench": "Measure a WebSocket server, and check every answer that it gives.",
    "tcp": "Talk in lines over TCP: a server to try things on, and a client.",
    "udp": "Talk in lines over UDP: a server to try things on, and a client.",
    "doctor": "Say what is amiss on this machine, and what to do about it.",
    "completion": "Print what makes a shell complete longlink's commands and options.",
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; `help NAME` means `NAME --help`."""
        name, *rest = args
        if name == "help":
            return self.resolve_command(ctx, [*rest, "--help"])
        if name not in COMMANDS and name.isidentifier():
            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else "longlink --help lists them"
            ctx.fail(f"no such command {name!r}: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EPILOG = """\
\b
Examples:
  longlink serve --port 8008
  longlink connect --help
"""


def make_group() -> click.Group:
    """The command `longlink` with what can follow it."""
    show = click.version_option(
        version_line(), message="%(version)s", help="Show what runs here and exit."
    )
    group: click.Group = show(
        Commands("longlink", help="Real-time push for Python.", epilog=EPILOG)
    )
    return group


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    try:
        code = make_group().main(arguments, prog_name="longlink", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_USAGE
    except click.ClickException as error:
        print(f"longlink: {complaint(error)}", file=sys.stderr)
        return error.exit_code
    except click.Abort as abort:  # what click makes of Ctrl-C, and of the end of a prompt's input
        raise KeyboardInterrupt from abort
    except OSError as error:
        if error.errno != errno.ENOSPC:  # click is quiet about a reader who left
            raise
        # Python flushes at the end once more, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print(f"longlink: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1
    return code if isinstance(code, int) else 0
