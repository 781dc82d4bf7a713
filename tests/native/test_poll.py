"""Poll: owners come back with their events, and live as long as a batch may name them."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="needs epoll")

Pair = tuple[socket.socket, socket.socket]


class Owner:
    """Something that is told of events."""

    poll: Any = None


@pytest.fixture
def poll(kernel: Any) -> Iterator[Any]:
    poll = kernel.Poll()
    yield poll
    poll.close()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Some pairs of which each first end is readable."""
    pairs = [socket.socketpair() for _ in range(5)]
    for _, far in pairs:
        far.send(b"x")
    yield pairs
    for near, far in pairs:
        near.close()
        far.close()


def batch(poll: Any) -> dict[object, int]:
    """The owners that are ready, and their events."""
    count = poll.wait(512)
    assert count >= 0
    return {poll.owner(i): poll.events(i) for i in range(count)}


def test_the_constants_are_those_of_the_system(kernel: Any) -> None:
    assert kernel.IN == select.EPOLLIN
    assert kernel.OUT == select.EPOLLOUT
    assert kernel.ERR == select.EPOLLERR
    assert kernel.HUP == select.EPOLLHUP
    assert type(kernel.IN) is int


def test_an_event_brings_its_owner(kernel: Any, poll: Any, pair: Pair) -> None:
    near, far = pair
    owner = Owner()
    assert poll.add(near.fileno(), owner, kernel.IN) == 0
    assert (poll.count, poll.wait(512)) == (1, 0)
    far.send(b"x")
    assert batch(poll) == {owner: kernel.IN}
    far.close()
    assert batch(poll) == {owner: kernel.IN | kernel.HUP}


def test_the_descriptor_can_be_watched_itself(kernel: Any, poll: Any, pair: Pair) -> None:
    poll.add(pair[0].fileno(), Owner(), kernel.IN)
    assert select.select([poll.fileno()], [], [], 0)[0] == []
    pair[1].send(b"x")
    assert select.select([poll.fileno()], [], [], 0)[0] == [poll.fileno()]
    assert not os.get_inheritable(poll.fileno())


def test_change_watches_for_something_else(kernel: Any, poll: Any, pair: Pair) -> None:
    fd, owner = pair[0].fileno(), Owner()
    poll.add(fd, owner, kernel.IN)
    assert poll.change(fd, owner, kernel.IN | kernel.OUT) == 0
    assert batch(poll) == {owner: kernel.OUT}
    assert poll.change(fd, owner, kernel.IN) == 0
    assert batch(poll) == {}


@pytest.mark.parametrize(("limit", "expected"), [(2, 2), (5, 5), (0, 1), (-3, 1), (100_000, 5)])
def test_a_batch_has_a_limit(
    kernel: Any, poll: Any, pairs: list[Pair], limit: int, expected: int
) -> None:
    for near, _ in pairs:
        poll.add(near.fileno(), Owner(), kernel.IN)
    assert poll.wait(limit) == expected


def test_the_rest_has_its_turn_in_the_next_batch(kernel: Any, poll: Any, pairs: list[Pair]) -> None:
    owners = {Owner() for _ in pairs}
    for owner, (near, _) in zip(owners, pairs, strict=True):
        poll.add(near.fileno(), owner, kernel.IN)
    seen = set()
    for _ in range(3):
        seen |= {poll.owner(i) for i in range(poll.wait(2))}
        poll.bury()
    assert seen == owners


def test_outside_of_the_batch_there_is_nothing(kernel: Any, poll: Any, pairs: list[Pair]) -> None:
    poll.add(pairs[0][0].fileno(), Owner(), kernel.IN)
    assert poll.wait(512) == 1
    for i in (-1, 1, 511, 100_000):
        assert poll.events(i) == 0
        with pytest.raises(IndexError):
            poll.owner(i)
    poll.bury()
    assert poll.events(0) == 0
    with pytest.raises(IndexError):
        poll.owner(0)


# -- lives ----------------------------------------------------------------------------------------


def test_an_owner_is_held_until_it_is_buried(kernel: Any, poll: Any, pair: Pair) -> None:
    owner = Owner()
    watcher, fd = weakref.ref(owner), pair[0].fileno()
    poll.add(fd, owner, kernel.IN)
    del owner
    assert watcher() is not None
    assert poll.remove(fd, watcher()) == 0
    assert (poll.count, watcher() is not None) == (0, True)
    poll.bury()
    assert watcher() is None


def test_one_event_may_close_the_others(kernel: Any, poll: Any, pairs: list[Pair]) -> None:
    watchers = []
    for near, _ in pairs:
        owner = Owner()
        watchers.append(weakref.ref(owner))
        poll.add(near.fileno(), owner, kernel.IN)
    del owner
    count = poll.wait(512)
    for watcher, (near, _) in zip(watchers, pairs, strict=True):
        poll.remove(near.fileno(), watcher())
        near.close()
    assert {poll.owner(i) for i in range(count)} == {watcher() for watcher in watchers}
    poll.bury()
    assert [watcher() for watcher in watchers] == [None] * 5
    assert poll.wait(512) == 0


def test_a_descriptor_used_again_within_the_turn(kernel: Any, poll: Any, pair: Pair) -> None:
    near, far = pair
    first, second = Owner(), Owner()
    far.send(b"x")
    poll.add(near.fileno(), first, kernel.IN)
    assert poll.wait(512) == 1
    poll.remove(near.fileno(), first)
    poll.add(near.fileno(), second, kernel.IN)
    assert poll.owner(0) is first
    poll.bury()
    assert batch(poll) == {second: kernel.IN}


def test_what_dies_may_remove_more(kernel: Any, poll: Any, pairs: list[Pair]) -> None:
    fd = pairs[1][0].fileno()
    survivor = Owner()

    class Last:
        def __del__(self) -> None:
            poll.remove(fd, survivor)

    poll.add(fd, survivor, kernel.IN)
    last = Last()
    poll.add(pairs[0][0].fileno(), last, kernel.IN)
    poll.remove(pairs[0][0].fileno(), last)
    del last
    poll.bury()
    assert poll.count == 0
    poll.bury()


def test_an_owner_is_not_counted_twice(kernel: Any, poll: Any, pair: Pair) -> None:
    owner = Owner()
    assert poll.add(pair[0].fileno(), owner, kernel.IN) == 0
    assert poll.add(pair[0].fileno(), owner, kernel.IN) == -errno.EEXIST
    assert poll.add(pair[1].fileno(), owner, kernel.IN) == 0
    assert poll.count == 2


def test_closing_lets_every_owner_go(kernel: Any, pair: Pair) -> None:
    poll, owner = kernel.Poll(), Owner()
    watcher = weakref.ref(owner)
    poll.add(pair[0].fileno(), owner, kernel.IN)
    del owner
    assert poll.close() == poll.close() == 0
    assert watcher() is None
    assert (poll.count, poll.fileno()) == (0, -1)
    assert poll.wait(512) == -errno.EBADF
    assert poll.add(pair[0].fileno(), Owner(), kernel.IN) == -errno.EBADF
    assert poll.change(pair[0].fileno(), Owner(), kernel.IN) == -errno.EBADF
    assert poll.remove(pair[0].fileno(), Owner()) == -errno.EBADF
    assert poll.bury() == 0


def test_closing_ends_the_batch(kernel: Any, pairs: list[Pair]) -> None:
    poll = kernel.Poll()
    poll.add(pairs[0][0].fileno(), Owner(), kernel.IN)
    assert poll.wait(512) == 1
    poll.close()
    assert poll.events(0) == 0
    with pytest.raises(IndexError):
        poll.owner(0)


def test_a_forgotten_poll_closes_its_descriptor(kernel: Any) -> None:
    poll = kernel.Poll()
    fd = poll.fileno()
    del poll
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_owners_that_know_their_poll_are_collected(kernel: Any, pair: Pair) -> None:
    owner = Owner()
    owner.poll = kernel.Poll()
    owner.poll.add(pair[0].fileno(), owner, kernel.IN)
    removed = Owner()
    removed.poll = owner.poll
    removed.poll.add(pair[1].fileno(), removed, kernel.IN)
    removed.poll.remove(pair[1].fileno(), removed)
    watchers = [weakref.ref(owner), weakref.ref(removed)]
    del owner, removed
    gc.collect()
    assert [watcher() for watcher in watchers] == [None, None]


# -- mistakes -------------------------------------------------------------------------------------


def test_only_the_owner_changes_and_removes(kernel: Any, poll: Any, pair: Pair) -> None:
    fd, owner = pair[0].fileno(), Owner()
    poll.add(fd, owner, kernel.IN)
    for stranger in (Owner(), None):
        assert poll.change(fd, stranger, kernel.OUT) == -errno.ENOENT
        assert poll.remove(fd, stranger) == -errno.ENOENT
    for elsewhere in (pair[1].fileno(), -1, 1 << 30):
        assert poll.change(elsewhere, owner, kernel.OUT) == -errno.ENOENT
        assert poll.remove(elsewhere, owner) == -errno.ENOENT
    assert poll.count == 1


@pytest.mark.parametrize("fd", [-1, 1 << 30])
def test_no_such_descriptor(kernel: Any, poll: Any, fd: int) -> None:
    assert poll.add(fd, Owner(), kernel.IN) == -errno.EBADF
    assert poll.count == 0


def test_what_cannot_be_watched(kernel: Any, poll: Any, tmp_path: Any) -> None:
    with open(tmp_path / "file", "w") as file:
        assert poll.add(file.fileno(), Owner(), kernel.IN) == -errno.EPERM
    assert poll.count == 0


def test_nobody_is_no_owner(kernel: Any, poll: Any, pair: Pair) -> None:
    assert poll.add(pair[0].fileno(), None, kernel.IN) == -errno.EINVAL


def test_closed_before_it_was_removed(kernel: Any, poll: Any, pairs: list[Pair]) -> None:
    near, _ = pairs[0]
    fd, owner = near.fileno(), Owner()
    poll.add(fd, owner, kernel.IN)
    near.close()
    assert poll.remove(fd, owner) == -errno.EBADF
    assert poll.count == 0
    poll.bury()
    assert poll.wait(512) == 0


def test_closed_and_used_again_before_it_was_removed(kernel: Any, poll: Any) -> None:
    near, far = socket.socketpair()
    fd, first, second = near.fileno(), Owner(), Owner()
    poll.add(fd, first, kernel.IN)
    other = os.dup(far.fileno())
    near.close()
    os.dup2(other, fd)
    assert poll.add(fd, second, kernel.IN) == 0
    assert poll.count == 1
    assert batch(poll) == {second: kernel.IN | kernel.HUP}
    for each in (other, fd):
        os.close(each)
    far.close()


def test_the_kernel_may_keep_what_was_closed_first(kernel: Any, poll: Any, pair: Pair) -> None:
    # A duplicate keeps the registration alive: its events must not come with a dead address.
    near, far = pair
    fd, other, owner = near.fileno(), os.dup(near.fileno()), Owner()
    poll.add(fd, owner, kernel.IN)
    near.close()
    assert poll.remove(fd, owner) == -errno.EBADF
    poll.bury()
    far.send(b"x")
    assert set(batch(poll)) <= {owner}
    os.close(other)


# -- looking again and again ----------------------------------------------------------------------


def test_hovering_finds_what_is_ready(poll: Any, pairs: list[Pair]) -> None:
    owners = [Owner() for _ in pairs]
    for (near, _), owner in zip(pairs, owners, strict=True):
        poll.add(near.fileno(), owner, select.EPOLLIN)
    assert poll.hover(3, 0) == 3
    assert poll.hover(512, 0) == 5
    assert {poll.owner(i) for i in range(5)} == set(owners)
    poll.bury()


def test_hovering_in_vain_takes_as_long_as_was_said(poll: Any) -> None:
    began = time.monotonic()
    assert poll.hover(512, 2000) == 0
    assert time.monotonic() - began >= 0.002


def test_hovering_on_a_closed_poll(poll: Any) -> None:
    poll.close()
    assert poll.hover(512, 10_000_000) == -errno.EBADF


def test_closed_by_another_thread_while_it_hovers(poll: Any, pair: Pair) -> None:
    near, far = pair
    poll.add(near.fileno(), Owner(), select.EPOLLIN)
    hovering = threading.Event()

    def close() -> None:
        hovering.wait()
        poll.close()
        far.send(b"x")

    closer = threading.Thread(target=close)
    closer.start()
    hovering.set()
    assert poll.hover(512, 2_000_000) < 0
    closer.join()


def test_others_have_the_interpreter_while_it_hovers(poll: Any, pair: Pair) -> None:
    near, far = pair
    owner = Owner()
    poll.add(near.fileno(), owner, select.EPOLLIN)
    begin = threading.Event()

    def speak() -> None:
        begin.wait()
        far.send(b"x")

    speaker = threading.Thread(target=speak)
    speaker.start()
    patience = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody else runs unless we let them
    try:
        begin.set()
        assert poll.hover(512, 20_000_000) == 1
    finally:
        sys.setswitchinterval(patience)
        speaker.join()
    assert poll.owner(0) is owner
    poll.bury()
