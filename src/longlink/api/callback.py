"""Callbacks and handlers: which functions may be given, and which of their ends are no fault."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import ConnectionClosed

ASGIApp = Callable[..., Any]


def check_callback(name: str, callback: Any) -> None:
    """Raise TypeError for what cannot be called, or would give a coroutine nobody awaits."""
    if callback is None:
        return
    _check_callable(name, callback)
    if is_coroutine_function(callback):
        raise TypeError(f"{name} must be a plain function; give a coroutine as the handler")


def check_hooks(**hooks: Any) -> None:
    """Raise TypeError for what cannot be called; a hook may be a coroutine function."""
    for name, hook in hooks.items():
        if hook is not None:
            _check_callable(name, hook)


def check_logger(logger: Any) -> None:
    """Raise TypeError for what cannot be logged to as `logging` does it."""
    if logger is not None and not hasattr(logger, "isEnabledFor"):
        raise TypeError(f"logger must be a logging.Logger, not {logger!r}")


def check_handlers(handler: Any, on_open: Any, on_message: Any, on_close: Any) -> None:
    """Raise TypeError for what `serve` could not work with."""
    if handler is not None and on_message is not None:
        raise TypeError("messages go to the handler or to on_message, not to both")
    if handler is not None:
        _check_callable("handler", handler)
    check_callback("on_open", on_open)
    check_callback("on_message", on_message)
    check_callback("on_close", on_close)


def somebody_left(problem: BaseException) -> bool:
    """Whether nothing happened but that a peer was gone, in one task or in several at once."""
    if isinstance(problem, BaseExceptionGroup):
        return all(somebody_left(part) for part in problem.exceptions)
    return isinstance(problem, ConnectionClosed)


def is_coroutine_function(callback: Callable[..., object]) -> bool:
    """Whether calling it does nothing but make a coroutine."""
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(_call_of(callback))


def _check_callable(name: str, given: object) -> None:
    if not callable(given):
        raise TypeError(f"{name} must be a function, not {type(given).__name__}")


def _call_of(callback: Callable[..., object]) -> object:
    """What runs when an object with `__call__` is called."""
    return getattr(type(callback), "__call__", None)  # noqa: B004  not whether it is callable
