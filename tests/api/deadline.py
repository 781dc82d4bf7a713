"""A deadline for coroutine tests, so that one that hangs says where."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 20  # seconds; nothing waits for it unless something hangs


def set_deadlines(items: Iterable[pytest.Item], folder: Path) -> None:
    """Let coroutine tests in `folder` fail after PATIENCE."""
    for item in items:
        if not isinstance(item, pytest.Function) or folder not in item.path.parents:
            continue
        if inspect.iscoroutinefunction(item.obj):
            item.obj = _limited(item.obj)


def _limited(test: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(test)
    async def limited(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(PATIENCE):
            await test(*args, **kwargs)

    return limited
