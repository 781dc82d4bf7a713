"""One run, from the first connection to the result.

    opening -> warming up -> measuring -> settling -> leaving

Ctrl-C ends the stage that is on; what was measured by then is the result.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic_ns
from typing import Any, Final

from ...engine.agenda import Agenda, agenda_of
from ...engine.reactor import AVAILABLE, Reactor, reactor_of
from ...native.kernel import COMPILED
from ...server.version import version_line
from ...wire import uri as uris
from . import processor
from .echo import EchoWork
from .fanout import FanOutWork
from .fault import Faults
from .idle import IdleWork
from .note import notes
from .opening import Opening
from .plan import Plan
from .processor import Usage
from .result import Generator, Moment, Result, Server
from .shake import HandshakeWork
from .spin import Spin
from .verdict import judge
from .work import Work

WORKS: Final[dict[str, type[Work]]] = {
    "echo": EchoWork,
    "fan-out": FanOutWork,
    "idle": IdleWork,
    "handshake": HandshakeWork,
}

_STEP_S: Final = 0.25  # between two moments
_MOST_MOMENTS: Final = 240
_TICK_S: Final = 0.001  # of an open loop that sleeps
_NS: Final = 1e9
# Whoever started us may pass a Ctrl-C on that we have got ourselves.
_AGAIN_NS: Final = 500_000_000

# Is told the stage, how far it is (0 to 1), and what was measured by then.
Watcher = Callable[[str, float, Moment], object]


class Interrupted(Exception):
    """Ctrl-C, before anything was measured."""


class Run:
    """One run.

    Args:
        uri: the server's. watch: told how it goes.
    """

    def __init__(self, uri: str, plan: Plan, watch: Watcher) -> None:
        self.plan = plan
        self.uri = uri
        self.watch = watch
        self.opening = Opening(uri, plan)
        self.faults = Faults()
        self.interrupted = False
        self.interrupted_at = 0
        self.moments: list[Moment] = []

    async def go(self) -> Result:
        """The result. Raises what `longlink.connect` does, or Interrupted."""
        loop = asyncio.get_running_loop()
        self.agenda: Agenda = reactor_of(loop) if AVAILABLE else agenda_of(loop)
        self.agenda.add_user()
        self.work = WORKS[self.plan.mode](self.plan, self.opening, self.faults, self.agenda)
        try:
            with self._interruptible(loop):
                return await self._stages()
        finally:
            self.work.halt()
            await self.work.leave()
            self.agenda.drop_user()

    async def _stages(self) -> Result:
        result = self._begun()
        await self._open(result)
        with _quiet_memory():
            await self._talk(result)
        if not self.faults.over.is_set():
            self.watch("settling", 1.0, self._moment())
            await self.work.settle()
        self._conclude(result)
        return result

    async def _open(self, result: Result) -> None:
        """All connections, or an exception."""
        self.watch("opening", 0.0, self._moment())
        await self._unless_over(self.work.enter())
        self.pids = self._server_pids()
        before = processor.memory_of(self.pids)
        begin = monotonic_ns()
        filling = asyncio.create_task(self._progress_of_opening())
        try:
            await self._unless_over(self.work.fill())
        finally:
            filling.cancel()
        result.opening_s = (monotonic_ns() - begin) / _NS
        result.opened = self.work.enlisted
        after = processor.memory_of(self.pids)
        self.kib_each: float | None = None
        if before is not None and after is not None and result.opened > 1:
            self.kib_each = max(0.0, (after - before) / (result.opened - 1))

    async def _progress_of_opening(self) -> None:
        while True:
            await asyncio.sleep(_STEP_S)
            self.watch("opening", self.work.enlisted / self.plan.count, self._moment())

    async def _talk(self, result: Result) -> None:
        """Warm up, measure."""
        pace = self.work.start()
        spin = self._spin(pace)
        sleeps = spin is None or spin.sleeps
        ticking = asyncio.create_task(_tick(pace)) if pace is not None and sleeps else None
        try:
            if self.work.talks:
                await self._stage("warming up", self.plan.warm_up)
            if self.faults.over.is_set():
                return
            self._measure_from_here(spin)
            before, count = Usage.now(self.pids), self.work.count
            await self._stage("measuring", self.plan.duration)
            # First what the clock and the counters say, then everything that takes time.
            after, result.count = Usage.now(self.pids), self.work.count - count
            self.work.halt()
        finally:
            if spin is not None:
                spin.stop()
            if ticking is not None:
                ticking.cancel()
        self.moments.append(self._moment())
        result.behind = getattr(pace, "behind", 0)
        result.cells, result.most = self.work.latency.snapshot(), self.work.latency.most
        self._judge(result, before, after, spin)

    def _measure_from_here(self, spin: Spin | None) -> None:
        self.work.latency.clear()
        if spin is not None:
            spin.idle_ns = 0
        self.moments = [self._moment()]

    async def _stage(self, name: str, seconds: float) -> None:
        """So long, unless the run is over before."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        step = max(_STEP_S, seconds / _MOST_MOMENTS)
        while (left := begin + seconds - loop.time()) > 0 and not self.faults.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.faults.over.wait(), min(step, left))
            moment = self._moment()
            if begin + seconds - loop.time() > step / 2:  # otherwise the last one is near
                self.moments.append(moment)
            self.watch(name, (loop.time() - begin) / seconds, moment)

    def _moment(self) -> Moment:
        return Moment(monotonic_ns(), self.work.count, self.work.latency.snapshot())

    def _spin(self, pace: Callable[[int], object] | None) -> Spin | None:
        """What runs the reactor, without ever sleeping if that is wanted and makes sense."""
        if not isinstance(self.agenda, Reactor):
            return None
        wanted = self.plan.spin
        if wanted is None:
            wanted = self.opening.local and (os.cpu_count() or 1) > 1
        sleeps = not (wanted and self.work.talks)
        spin = Spin(asyncio.get_running_loop(), self.agenda, self.work.tally, pace, sleeps)
        spin.start()
        return spin

    def _server_pids(self) -> tuple[int, ...]:
        if self.plan.server_pid is not None:
            return (self.plan.server_pid,)
        if not self.opening.local:
            return ()
        if self.plan.contact.uds is not None:
            return tuple(processor.listeners_at(self.plan.contact.uds))
        return tuple(processor.listeners(uris.parse(self.uri).port))

    # The result.

    def _begun(self) -> Result:
        plan = asdict(self.plan)
        for name in ("contact", "json", "html"):
            del plan[name]
        plan |= {"connections": self.plan.count, "in_flight": self.plan.window}
        return Result(
            uri=public(self.uri),
            mode=self.plan.mode,
            unit=self.work.unit,
            settings=plan,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=f"{processor.model() or 'unknown'}, {processor.available()} processors",
            version=version_line(),
        )

    def _judge(self, result: Result, before: Usage, after: Usage, spin: Spin | None) -> None:
        elapsed = after.at - before.at
        result.seconds = elapsed / _NS
        own = after.own - before.own
        spun = 0 if spin is None else spin.idle_ns
        spins = spin is not None and not spin.sleeps
        busy = max(0, own.ran - spun) / elapsed
        result.generator = Generator(busy, own.waited / elapsed, spins, COMPILED)
        if self.pids:
            result.server = self._server(before, after, elapsed)
        if result.count:
            result.limit, result.verdict = judge(result.generator, result.server)

    def _server(self, before: Usage, after: Usage, elapsed: int) -> Server:
        name = processor.name_of(self.pids[0])
        if before.server is None or after.server is None:
            return Server(self.pids, name, None, None, self.kib_each)
        had = after.server - before.server
        return Server(self.pids, name, had.ran / elapsed, had.waited / elapsed, self.kib_each)

    def _conclude(self, result: Result) -> None:
        result.moments = self.moments
        result.sent, result.received = self.work.totals()
        result.held = len(self.work.probes)
        result.greetings = self.work.tally.greetings
        result.errors = {str(kind): count for kind, count in self.faults.counts.items()}
        result.told = self.faults.lines()
        result.interrupted = self.interrupted
        result.notes = list(notes(result))
        if self.plan.compression != "off" and not self.opening.agreed:
            result.notes.append("The server did not agree to compression.")

    # Ctrl-C.

    @contextmanager
    def _interruptible(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        try:
            loop.add_signal_handler(signal.SIGINT, self.interrupt)
        except (NotImplementedError, RuntimeError, ValueError):  # not here, or not this thread
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def interrupt(self) -> None:
        """End with what there is; a while later, when that takes too long, at once."""
        now = monotonic_ns()
        if self.interrupted and now - self.interrupted_at > _AGAIN_NS:
            raise KeyboardInterrupt
        if not self.interrupted:
            self.interrupted, self.interrupted_at = True, now
        self.faults.over.set()

    async def _unless_over(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this; raises Interrupted when the run is over before."""
        doing = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self.faults.over.wait())
        try:
            await asyncio.wait((doing, over), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done() and self.interrupted:
                raise Interrupted
            await doing
        finally:
            for task in (doing, over):
                task.cancel()
            await asyncio.gather(doing, over, return_exceptions=True)


def public(uri: str) -> str:
    """A URI as it may stand in a report: no password, and nothing of the query."""
    parsed = uris.parse(uri)
    return str(parsed).partition("?")[0] + ("?..." if parsed.query else "")


async def _tick(pace: Callable[[int], object]) -> None:
    while True:
        pace(monotonic_ns())
        await asyncio.sleep(_TICK_S)


@contextmanager
def _quiet_memory() -> Iterator[None]:
    """Nothing that is there now is looked at by the garbage collector meanwhile."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
