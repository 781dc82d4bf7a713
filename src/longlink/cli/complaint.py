"""What is wrong with a command line, in one line."""

from __future__ import annotations

import click


def complaint(error: click.ClickException) -> str:
    """One line; it names the environment variable when the value came from there."""
    text = error.format_message()
    if (
        isinstance(error, click.BadParameter)
        and error.ctx
        and isinstance(error.param, click.Option)
    ):
        source = error.ctx.get_parameter_source(str(error.param.name))
        if source is click.core.ParameterSource.ENVIRONMENT:
            flags = " / ".join(f"'{flag}'" for flag in error.param.opts)
            text = text.replace(flags, str(error.param.envvar))
    return text[0].lower() + text[1:]
