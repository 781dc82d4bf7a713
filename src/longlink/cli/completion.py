"""`longlink completion`: the script that has a shell complete what follows `longlink`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_LONGLINK_COMPLETE"  # how such a script asks us; click looks at it
SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
\b
Examples:
  eval "$(longlink completion bash)"       in ~/.bashrc
  eval "$(longlink completion zsh)"        in ~/.zshrc, after compinit
  longlink completion fish > ~/.config/fish/completions/longlink.fish

Sourcing a file is faster than running longlink for every new shell: longlink completion bash >
~/.local/share/bash-completion/completions/longlink is read when it is needed.
"""


def make_command() -> click.Command:
    """The command."""
    return click.Command(
        "completion",
        callback=_completion,
        params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
        help="Print what makes a shell complete longlink's commands and options.",
        epilog=EPILOG,
    )


def _completion(shell: str) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    group = click.get_current_context().find_root().command
    click.echo(kind(group, {}, "longlink", VARIABLE).source())
