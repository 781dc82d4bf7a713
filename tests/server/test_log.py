from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from longlink.server import log
from longlink.server.log import LineFormatter, LineHandler, Quota, escape, shorten


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain 中文 é 👩‍🚀 \\n", "plain 中文 é 👩‍🚀 \\n"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb\tc\x00", "a\\r\\nb\\tc\\x00"),
        ("\x9b31m \x85 \x7f", "\\x9b31m \\x85 \\x7f"),
        ("\u202eabc\u2066\u2069\u200f\u061c", "\\u202eabc\\u2066\\u2069\\u200f\\u061c"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("a\u200bb\ufeff\xad", "a\\u200bb\\ufeff\\xad"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_disturb_a_terminal_is_spelled_out(raw: str, shown: str) -> None:
    assert escape(raw) == shown
    assert escape(shown) == shown


def test_every_control_character_is_escaped() -> None:
    for code in [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]:
        assert escape(chr(code)).isprintable()


def test_long_texts_are_shortened() -> None:
    assert shorten("x" * 500) == "x" * 500
    assert shorten("x" * 501) == "x" * 500 + "… (501 characters)"


def record(name: str, text: str, *arguments: object, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": name, "msg": text, "args": arguments, "levelname": "INFO", **more}
    )


def test_a_line_is_time_level_message() -> None:
    line = LineFormatter().format(record("longlink.room", "#%d \x1b %s", 7, "a\nb"))
    assert line[:4].isdigit()
    assert line[19:] == " INFO    #7 \\x1b a\\nb"


def test_the_level_can_be_left_out() -> None:
    line = LineFormatter(colors=True, level=False).format(record("x", "#7: hi"))
    assert line[19:] == " #7: hi"


def test_colors_are_around_the_level_only() -> None:
    line = LineFormatter(colors=True).format(record("x", "hi"))
    assert line[19:] == " \x1b[32mINFO   \x1b[0m hi"


def test_a_traceback_keeps_its_lines_and_loses_its_escapes() -> None:
    try:
        raise ValueError("\x1b[31m")
    except ValueError:
        line = LineFormatter().format(record("x", "failed", exc_info=sys.exc_info()))
    assert "\nTraceback" in line
    assert line.endswith("ValueError: \\x1b[31m")


def test_a_quota_is_kept_for_each_class_of_lines() -> None:
    now = 0.0
    quota = Quota(rate=10, burst=3, clock=lambda: now)
    assert [quota.take("joined") for _ in range(5)] == [True, True, True, False, False]
    assert quota.take("left")
    assert quota.reveal() == {}
    now = 0.15
    assert [quota.take("joined") for _ in range(2)] == [True, False]
    now = 1.15
    assert quota.reveal() == {"joined": 3}
    assert quota.reveal() == {}
    now = 100.0
    assert [quota.take("joined") for _ in range(4)] == [True, True, True, False]


@pytest.fixture
def loggers() -> Iterator[None]:
    """Configures nothing itself, and leaves the loggers as they were."""
    names = ("", "longlink", log.MESSAGES)
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def test_a_flood_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    handler = LineHandler(LineFormatter(), Quota(rate=10, burst=2, clock=lambda: now))
    for number in range(5):
        handler.handle(record("x", "#%d joined", number))
    now = 1.0
    handler.handle(record("x", "stopped"))
    lines = [line[28:] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "#0 joined",
        "#1 joined",
        "3 more lines like '#%d joined' were not shown",
        "stopped",
    ]


def test_classes_are_not_remembered_without_end() -> None:
    quota = Quota(rate=1, burst=1)
    for number in range(5000):
        assert quota.take(f"line {number}")
    assert len(quota._tokens) <= 1000


@pytest.mark.usefixtures("loggers")
def test_messages_are_shown_whatever_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("error", colors=False)
    logging.getLogger("longlink.room").warning("hidden")
    logging.getLogger("longlink.room").error("shown")
    logging.getLogger(log.MESSAGES).info("said")
    logging.getLogger("uvicorn.error").info("hidden")
    shown = capsys.readouterr()
    assert shown.err[19:] == " ERROR   shown\n"
    assert shown.out[19:] == " said\n"


@pytest.mark.usefixtures("loggers")
@pytest.mark.parametrize("colors", [True, False, None])
def test_colors_can_be_chosen(colors: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", colors=colors)
    logging.getLogger("longlink").info("hi")
    assert ("\x1b[" in capsys.readouterr().err) is bool(colors)
