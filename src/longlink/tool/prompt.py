"""A prompt that stays whole while lines scroll by above it, and remembers what was typed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import Completer
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import Input, create_input

from .history import FileHistory, place
from .outlet import write_all

MARK: Final = "> "


def make_prompt(
    tool: str, *, remember: bool = True, completer: Completer | None = None
) -> PromptSession[str]:
    """The prompt of a tool.

    Args:
        remember: whether what is typed is kept in the tool's history.
    """
    return PromptSession(
        MARK,
        history=_history(tool) if remember else InMemoryHistory(),
        completer=completer,
        complete_in_thread=True,
        input=_raw_input(),
    )


async def above_the_prompt(batch: Sequence[bytes]) -> None:
    """Write this above a prompt that may be there: for an `Outlet`."""
    await run_in_terminal(lambda: write_all(1, b"".join(batch)))


def _raw_input() -> Input:
    """The terminal, which stays in raw mode while lines are shown: it would echo what is typed
    just then in their midst."""
    terminal = create_input()
    terminal.cooked_mode = contextlib.nullcontext  # type: ignore[method-assign]
    return terminal


def _history(tool: str) -> History:
    path = place(tool, os.environ)
    return InMemoryHistory() if path is None else FileHistory(path)
