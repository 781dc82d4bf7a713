"""`longlink` and `python -m longlink`: everything but the version needs longlink[server]."""

from __future__ import annotations

import importlib
import os
import sys

from .server.version import version_line

# What the extra brings and the product imports.
EXTRA = frozenset({"click", "httptools", "prompt_toolkit", "regex", "rich", "starlette", "uvicorn"})
BAD_USAGE = 2
INTERRUPTED = 130  # as a shell says it: 128 + SIGINT


def main() -> int:
    """Run the command line; returns the exit code."""
    _replace_closed()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(version_line())
        return 0
    try:
        code: int = importlib.import_module("longlink.cli.group").main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        hint = "pip install 'longlink[server]'"
        print(f"longlink: {error.name} is not installed: {hint}", file=sys.stderr)
        return BAD_USAGE
    return code


def _replace_closed() -> None:
    """Have what the shell closed (`2>&-`) be /dev/null: Python would print errors to stdout, and
    the next socket have the number to which output goes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


if __name__ == "__main__":
    sys.exit(main())
