"""A walk over the table of states: every row, every path, and an endpoint that follows it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from longlink.wire.phase import STATE_OF, TRANSITIONS, Action, Event, Phase, State
from tests.wire.instrument import CLOSE, Recorder, close, feed, frames

# Nothing is read as a frame before OPENED, and a connection opens once.
IMPOSSIBLE = {
    (Phase.CONNECTING, Event.CLOSE_RECEIVED),
    *((phase, Event.OPENED) for phase in Phase if Phase.CONNECTING < phase < Phase.ENDED),
}
DEPTH = 6

Path = list[tuple[Event, Phase, Action]]


def paths(depth: int) -> Iterator[Path]:
    """Every possible sequence of events, with the phases and actions that the table has."""
    for events in itertools.product(Event, repeat=depth):
        phase, path = Phase.CONNECTING, []
        for event in events:
            if (phase, event) in IMPOSSIBLE:
                break
            phase, action = TRANSITIONS[phase, event]
            path.append((event, phase, action))
        else:
            yield path


def test_the_table_is_complete() -> None:
    assert set(TRANSITIONS) | IMPOSSIBLE == set(itertools.product(Phase, Event))
    assert not set(TRANSITIONS) & IMPOSSIBLE


def test_every_missing_row_is_documented() -> None:
    opened_again = {phase for phase, event in IMPOSSIBLE if event is Event.OPENED}
    assert opened_again == {Phase.OPEN, Phase.CLOSE_SENT, Phase.CLOSE_DONE, Phase.FAILED}


def test_every_phase_can_be_reached() -> None:
    assert {phase for path in paths(4) for _, phase, _ in path} == set(Phase) - {Phase.CONNECTING}


@pytest.mark.parametrize("row", TRANSITIONS.items(), ids=lambda row: f"{row[0][0]:d}-{row[0][1]:d}")
def test_each_row(row: tuple[tuple[Phase, Event], tuple[Phase, Action]]) -> None:
    (phase, event), (following, action) = row
    assert STATE_OF[following] >= STATE_OF[phase]  # readyState never goes back
    if following is phase:
        assert action is Action.NOTHING  # who stays where it is does nothing
    if phase is Phase.ENDED:
        assert following is Phase.ENDED
    if event is Event.END:
        assert following is Phase.ENDED
    assert (action is Action.REPORT_END) == (following is Phase.ENDED is not phase)
    if action in (Action.SAY_CLOSE, Action.ANSWER_CLOSE):
        assert phase is Phase.OPEN  # the only phase in which anything is written
        assert STATE_OF[following] is State.CLOSING
    if action is Action.ANSWER_CLOSE:
        assert event is Event.CLOSE_RECEIVED
    if phase is Phase.OPEN and following not in (Phase.OPEN, Phase.ENDED):
        assert action is not Action.NOTHING  # who leaves with TCP in order says so


def test_each_path() -> None:
    count = 0
    for path in paths(DEPTH):
        count += 1
        phases = [phase for _, phase, _ in path]
        actions = [action for _, _, action in path]
        closes = [each for each in actions if each in (Action.SAY_CLOSE, Action.ANSWER_CLOSE)]
        assert len(closes) <= 1
        assert actions.count(Action.REPORT_END) == (Phase.ENDED in phases)
        if Phase.ENDED in phases:
            assert set(phases[phases.index(Phase.ENDED) :]) == {Phase.ENDED}
        assert phases == sorted(phases, key=lambda phase: STATE_OF[phase])
    assert count > 1000


DO: dict[Event, Callable[[Recorder], object]] = {
    Event.OPENED: lambda endpoint: endpoint.opened(),
    Event.CLOSE: lambda endpoint: endpoint.send_close(1000),
    Event.CLOSE_RECEIVED: lambda endpoint: feed(endpoint, close(1001)),
    Event.FAILURE: lambda endpoint: endpoint.fail(1011),
    Event.END: lambda endpoint: endpoint.end(),
}


def test_an_endpoint_follows_the_table() -> None:
    """Whatever happens in whatever order, hooks and output are what the table says."""
    for path in paths(4):
        endpoint = Recorder()
        phases = [Phase.CONNECTING]
        for event, phase, _ in path:
            DO[event](endpoint)
            deaf = phases[-1] in (Phase.CLOSE_DONE, Phase.FAILED, Phase.ENDED)
            assert event is not Event.CLOSE_RECEIVED or not deaf or phase is phases[-1]
            assert endpoint.phase == phase
            assert endpoint.state is STATE_OF[phase]
            phases.append(phase)
        changes = [after for before, after in itertools.pairwise(phases) if after is not before]
        assert endpoint.of("phase") == changes
        assert endpoint.told.count(("end",)) == (phases[-1] is Phase.ENDED)
        assert ("end",) not in endpoint.told[:-1]
        said = [action in (Action.SAY_CLOSE, Action.ANSWER_CLOSE) for _, _, action in path]
        assert [each.opcode for each in frames(endpoint.output())] == [CLOSE] * sum(said)
        assert (endpoint.close_sent is not None) == any(said)
        both = Phase.CLOSE_DONE in phases
        assert (endpoint.closed().rcvd_then_sent is not None) == both
        if both:
            assert endpoint.closed().rcvd_then_sent is (Phase.CLOSE_SENT not in phases)
