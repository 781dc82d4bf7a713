"""`longlink serve`: its options are the fields of Config and Limits."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from .. import Limits
from ..server import service
from ..server.config import Config
from .option import make_options

EPILOG = """\
Example: longlink serve --host 0.0.0.0 --port 8008 --origin https://example.com

Every option has an environment variable: --max-size is LONGLINK_MAX_SIZE. Where a number is
followed by |none, the word none switches the limit off.
"""


def make_config(options: dict[str, Any]) -> Config:
    """The configuration that parsed options say."""
    names = {entry.name for entry in fields(Limits)}
    limits = {name: value for name, value in options.items() if name in names}
    own = {name: value for name, value in options.items() if name not in names}
    return Config(limits=Limits(**limits), **own)


def make_command() -> click.Command:
    """The command."""
    return click.Command(
        "serve",
        callback=_serve,
        params=[*make_options(Config), *make_options(Limits)],
        help="Serve a page where everybody who opens it talks to each other, and programs too.",
        epilog=EPILOG,
    )


def _serve(**options: Any) -> int:
    source = click.get_current_context().get_parameter_source
    for name in ("host", "port"):
        if options["uds"] and source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--uds is instead of --host and --port, but --{name} was given")
    return service.run(make_config(options))
