"""What is seen while a run is on, drawn by a process of its own.

To draw takes milliseconds, in which the generator would neither send nor read: its latencies
would be those of the drawing. So another process draws, and is sent the figures; what it cannot
take in time is not sent.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
from collections import deque
from contextlib import suppress
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .bucket import said
from .result import Moment, Stretch, stretch

_LARGEST: Final = 2**20
_BARS: Final = "▁▂▃▄▅▆▇█"
_SHOWN: Final = 40  # rates in a row

AVAILABLE: Final = hasattr(os, "fork") and hasattr(socket, "SOCK_SEQPACKET")


class Screen:
    """A process that draws. Start it before there is an event loop.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str, console: Console) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._pid = os.fork()
        if self._pid:
            theirs.close()
            return
        self._ours.close()
        with suppress(BaseException):
            _draw(theirs, unit, console)
        os._exit(0)

    def watch(self, stage: str, share: float, moment: Moment) -> None:
        """This is how far the run is."""
        with suppress(OSError):  # it has not kept up, or is gone
            self._ours.send(
                marshal.dumps((stage, share, moment.at, moment.count, list(moment.cells)))
            )

    def close(self) -> None:
        """Clear away what was drawn."""
        self._ours.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _draw(source: socket.socket, unit: str, console: Console) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run ends first, and then we
    picture = Picture(unit)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while packet := source.recv(_LARGEST):
            picture.update(*marshal.loads(packet))
            live.update(picture.render(), refresh=True)


class Picture:
    """What is drawn: the stage and how far it is, the rate, latencies of late."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.stage = ""
        self.share = 0.0
        self.last: Moment | None = None
        self.seen: Stretch | None = None
        self.rates: deque[float] = deque(maxlen=_SHOWN)

    def update(self, stage: str, share: float, at: int, count: int, cells: Any) -> None:
        """The run is as far as this."""
        moment = Moment(at, count, cells)
        self.stage, self.share = stage, min(share, 1.0)
        last, self.last = self.last, moment
        # Cells that hold less than before were cleared in between.
        if last is None or count <= last.count or sum(cells) < sum(last.cells):
            return
        self.seen = stretch(last, moment, at)
        self.rates.append(self.seen.rate)

    def render(self) -> Group:
        """The picture."""
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(f"{self.stage:>10}", style="bold"),
            ProgressBar(1.0, self.share, 30, complete_style="green"),
        )
        return Group(head, self._figures())

    def _figures(self) -> Text:
        if self.seen is None:
            return Text()
        text = Text(f"{self.seen.rate:>14,.0f} {self.unit}/s", style="bold green")
        if self.seen.p50 is not None and self.seen.p99 is not None:
            text.append(f"   p50 {said(self.seen.p50)}   p99 {said(self.seen.p99)}", style="cyan")
        text.append(f"   {self._curve()}", style="dim")
        return text

    def _curve(self) -> str:
        most = max(self.rates) or 1.0
        return "".join(_BARS[round(rate / most * (len(_BARS) - 1))] for rate in self.rates)
