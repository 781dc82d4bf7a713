"""`longlink serve`: its options are the fields of Config and Limits."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import click

from .. import Limits
from ..server.config import Config
from ..server.descriptor import passed_on
from .option import make_options

EPILOG = """\
\b
Examples:
  longlink serve
  longlink serve --host 0.0.0.0 --port 8008 --origin https://example.com

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
    from ..server import (
        service,
    )  # half of it is HTTP, which --help and completion need not wait for

    instead = _instead_of_port(options)
    source = click.get_current_context().get_parameter_source
    for name in ("host", "port"):
        if instead and source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{instead} is instead of --host and --port, but --{name} was given"
            )
    return service.run(make_config(options))


def _instead_of_port(options: dict[str, Any]) -> str | None:
    """What says where to listen, beside host and port; finds the socket that systemd passes on."""
    flag = "--fd"
    if options["fd"] is None:
        flag = "the socket of LISTEN_FDS"
        try:
            options["fd"] = passed_on(os.environ)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if options["fd"] is None:
        return "--uds" if options["uds"] else None
    if options["uds"]:
        raise click.UsageError(f"{flag} is instead of --uds, but --uds was given")
    return flag
