"""What can happen to an open conversation, and what is done about it: one table.

`TRANSITIONS`: (phase, event) → (phase, action). `endpoint.py` obeys it; a test walks all of it.
"""

from __future__ import annotations

import enum


class State(enum.IntEnum):
    """The connection as everybody sees it: `readyState` of the browsers (RFC 6455 §4, §7)."""

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class Phase(enum.IntEnum):
    """The connection as it really is."""

    CONNECTING = 0  # the opening handshake isn't over
    OPEN = 1
    CLOSE_SENT = 2  # our Close went first; theirs is awaited
    CLOSE_DONE = 3  # both Closes are exchanged; only TCP is left
    FAILED = 4  # they broke a rule, or we gave up: our Close is said, nothing is heard
    ENDED = 5  # TCP is gone, or as good as gone


class Event(enum.IntEnum):
    """What can happen to a connection, as far as its phase is concerned."""

    OPENED = 0  # the opening handshake succeeded
    CLOSE = 1  # our caller closes
    CLOSE_RECEIVED = 2
    FAILURE = 3  # a rule is broken, a limit hit, a deadline passed
    END = 4  # TCP ended


class Action(enum.IntEnum):
    """What a transition asks for."""

    NOTHING = 0
    SAY_CLOSE = 1  # send our Close
    ANSWER_CLOSE = 2  # send theirs back
    REPORT_END = 3  # on_end, once


STATE_OF: tuple[State, ...] = (
    State.CONNECTING,
    State.OPEN,
    State.CLOSING,
    State.CLOSING,
    State.CLOSING,
    State.CLOSED,
)


def _table() -> dict[tuple[Phase, Event], tuple[Phase, Action]]:
    connecting, opened, sent, done, failed, ended = Phase
    nothing, say, answer, report = Action
    return {
        (connecting, Event.OPENED): (opened, nothing),
        (connecting, Event.CLOSE): (ended, report),  # nobody to say it to yet
        (connecting, Event.FAILURE): (ended, report),
        (connecting, Event.END): (ended, report),
        (opened, Event.CLOSE): (sent, say),
        (opened, Event.CLOSE_RECEIVED): (done, answer),  # §5.5.1: echo it
        (opened, Event.FAILURE): (failed, say),  # §7.1.7
        (opened, Event.END): (ended, report),
        (sent, Event.CLOSE): (sent, nothing),
        (sent, Event.CLOSE_RECEIVED): (done, nothing),
        (sent, Event.FAILURE): (failed, nothing),  # one Close is all there is
        (sent, Event.END): (ended, report),
        (done, Event.CLOSE): (done, nothing),
        (done, Event.CLOSE_RECEIVED): (done, nothing),
        (done, Event.FAILURE): (done, nothing),
        (done, Event.END): (ended, report),
        (failed, Event.CLOSE): (failed, nothing),
        (failed, Event.CLOSE_RECEIVED): (failed, nothing),
        (failed, Event.FAILURE): (failed, nothing),
        (failed, Event.END): (ended, report),
        (ended, Event.OPENED): (ended, nothing),  # they left while we were deciding
        (ended, Event.CLOSE): (ended, nothing),
        (ended, Event.CLOSE_RECEIVED): (ended, nothing),
        (ended, Event.FAILURE): (ended, nothing),
        (ended, Event.END): (ended, nothing),
    }


# The five missing rows cannot happen: nothing is read as a frame before OPENED, and a
# connection opens once.
TRANSITIONS = _table()
# The same for the hurried: by the numbers of phase and event, None where nothing can happen.
STEPS: tuple[tuple[tuple[Phase, Action] | None, ...], ...] = tuple(
    tuple(TRANSITIONS.get((phase, event)) for event in Event) for phase in Phase
)
