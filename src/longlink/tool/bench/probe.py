"""Connections that say something, check what comes back, and measure how long it took.

Theory of operation. A `Probe` is the connection itself and no user of one: a message reaches it
by one call from the session, through C where compiled. What all probes of a run share is their
`Tally`. The clock is read once for everything that one connection receives at once, and what is
to be sent leaves together, after at most 64 connections were served: a latency is from the
moment a message was given to be sent to the moment its answer was read.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from ...api.connection import Connection
from ...engine.agenda import Agenda
from ...engine.session import Session
from .histogram import Histogram
from .script import NUMBERS, Script

_NUMBERS = NUMBERS - 1


class Tally:
    """What the connections of one run have in common.

    Attributes:
        latency: of what was answered since it was cleared, in nanoseconds.
        sent, received: messages, or deliveries, since the connections were opened.
        flowing: an answer lets the next message go.
        greetings: messages that came before anything was said.
        pongs: answers to Pings.
    """

    __slots__ = (
        "agenda",
        "flowing",
        "greetings",
        "holder",
        "latency",
        "numbers",
        "observer",
        "pongs",
        "received",
        "script",
        "sent",
        "time",
        "turn",
    )

    def __init__(self, agenda: Agenda, script: Script, observer: Any) -> None:
        self.agenda = agenda
        self.script = script
        self.numbers = script.numbers
        self.observer = observer
        self.latency = Histogram()
        self.sent = self.received = self.greetings = self.pongs = 0
        self.flowing = False
        self.holder: object = None
        self.turn = 0.0
        self.time = 0

    def now(self, holder: object) -> int:
        """Nanoseconds, read once for all that `holder` gets at once."""
        if holder is not self.holder or self.agenda.now != self.turn:
            self.holder = holder
            self.turn = self.agenda.now
            self.time = monotonic_ns()
        return self.time


class Probe(Connection):
    """A connection of a run: `enlist` says of which.

    Attributes:
        number: in the order of opening.
        sent, received: messages. early: those that came before `enlist`.
    """

    __slots__ = ("early", "number", "received", "sent", "tally")

    def __init__(self, session: Session, owner: Any, callback: Callable[..., Any] | None) -> None:
        Connection.__init__(self, session, owner, callback)
        self.tally: Tally | None = None
        self.number = 0
        self.sent = self.received = self.early = 0

    def enlist(self, tally: Tally, number: int) -> None:
        """Take part in the run of `tally`."""
        self.tally = tally
        self.number = number
        tally.greetings += self.early

    def strange(self, message: str | bytes) -> None:
        """This is not what had to come."""
        tally = self.tally
        if tally is None:
            self.early += 1
        elif not tally.sent:
            tally.greetings += 1
        else:
            tally.observer.strange(self, message)

    def on_pong(self, payload: bytes) -> None:
        Connection.on_pong(self, payload)
        if self.tally is not None:
            self.tally.pongs += 1

    def on_end(self) -> None:
        Connection.on_end(self)
        if self.tally is not None:
            self.tally.observer.lost(self)


class Echo(Probe):
    """Says something and expects it back, several in flight."""

    __slots__ = ("messages", "places", "rest", "times")

    def __init__(self, session: Session, owner: Any, callback: Callable[..., Any] | None) -> None:
        Probe.__init__(self, session, owner, callback)
        self.rest: Any = b""
        self.messages: list[Any] = []  # those in flight, at their number modulo the length
        self.times: list[int] = []
        self.places = 0

    def prepare(self, in_flight: int) -> None:
        """Make room for so many in flight."""
        assert self.tally is not None
        self.rest = self.tally.script.rest(self.number)
        size = 1 << (in_flight - 1).bit_length()
        self.messages = [None] * size
        self.times = [0] * size
        self.places = size - 1

    def say(self, now: int) -> None:
        """Send the next message; its latency counts from `now`."""
        tally = self.tally
        if not self.session.sendable():
            return
        place = self.sent & self.places
        message = tally.numbers[self.sent & _NUMBERS] + self.rest  # type: ignore[union-attr]
        self.messages[place] = message
        self.times[place] = now
        self.sent += 1
        tally.sent += 1  # type: ignore[union-attr]
        self.session.send(message)

    def has_room(self, in_flight: int) -> bool:
        """Whether one more may be sent, with so many in flight at most."""
        return self.sent - self.received < in_flight and self.session.sendable()

    def deliver(self, message: str | bytes) -> None:
        tally = self.tally
        place = self.received & self.places
        if self.received == self.sent or message != self.messages[place]:
            self.strange(message)
            return
        now = tally.now(self)  # type: ignore[union-attr]
        then = self.times[place]
        tally.latency.add(now - then)  # type: ignore[union-attr]
        self.received += 1
        tally.received += 1  # type: ignore[union-attr]
        if tally.flowing:  # type: ignore[union-attr]
            self.say(now)


class Round(Tally):
    """A tally of a fan-out: what the speaker has said, and how many still wait for each.

    Attributes:
        ears: how many listen.
        delivered: messages that the last of them has.
    """

    __slots__ = (
        "delivered",
        "ears",
        "messages",
        "places",
        "rest",
        "speaker",
        "times",
        "waiting",
    )

    def __init__(self, agenda: Agenda, script: Script, observer: Any) -> None:
        Tally.__init__(self, agenda, script, observer)
        self.ears = 0
        self.delivered = 0
        self.speaker: Probe | None = None
        self.rest: Any = b""
        self.messages: list[Any] = []
        self.times: list[int] = []
        self.waiting: list[int] = []
        self.places = 0

    def prepare(self, speaker: Probe, ears: int, in_flight: int) -> None:
        """Make room for so many in flight."""
        self.speaker = speaker
        self.rest = self.script.rest(speaker.number)
        self.ears = ears
        size = 1 << (in_flight - 1).bit_length()
        self.messages = [None] * size
        self.times = [0] * size
        self.waiting = [0] * size
        self.places = size - 1

    def say(self, now: int) -> None:
        """Have the speaker say the next message."""
        speaker = self.speaker
        if not speaker.session.sendable():  # type: ignore[union-attr]
            return
        place = self.sent & self.places
        message = self.numbers[self.sent & _NUMBERS] + self.rest
        self.messages[place] = message
        self.times[place] = now
        self.waiting[place] = self.ears
        self.sent += 1
        speaker.session.send(message)  # type: ignore[union-attr]

    def has_room(self, in_flight: int) -> bool:
        """Whether one more may be said, with so many in flight at most."""
        return self.sent - self.delivered < in_flight

    def dropped(self, ear: Probe) -> None:
        """Nobody waits any more for an ear that is gone."""
        self.ears -= 1
        for number in range(ear.received, self.sent):
            self._has(ear, number & self.places)

    def arrived(self, ear: Probe, place: int) -> None:
        """One more has the message at `place`."""
        self.received += 1
        self._has(ear, place)

    def _has(self, ear: Probe, place: int) -> None:
        left = self.waiting[place] - 1
        self.waiting[place] = left
        if left == 0:
            now = self.now(ear)
            then = self.times[place]
            self.latency.add(now - then)
            self.delivered += 1
            if self.flowing:
                self.say(now)


class Ear(Probe):
    """Expects everything that the speaker says, in order."""

    __slots__ = ("round",)

    def __init__(self, session: Session, owner: Any, callback: Callable[..., Any] | None) -> None:
        Probe.__init__(self, session, owner, callback)
        self.round: Round | None = None

    def listen(self, whole: Round) -> None:
        """Listen to the speaker of this round."""
        self.round = whole

    def deliver(self, message: str | bytes) -> None:
        whole = self.round
        if whole is None or self.received == whole.sent:
            self.strange(message)
            return
        place = self.received & whole.places
        if message != whole.messages[place]:
            self.strange(message)
            return
        self.received += 1
        whole.arrived(self, place)


class Speaker(Probe):
    """Says what the others hear. Some servers tell the speaker, too: that is only counted."""

    __slots__ = ()

    def deliver(self, message: str | bytes) -> None:
        self.received += 1
