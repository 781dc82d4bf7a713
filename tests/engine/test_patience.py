"""Whether to look once more before the loop sleeps: as often as it pays."""

from __future__ import annotations

from longlink.engine.patience import Patience


def tries_of(patience: Patience, chances: int, pays: bool) -> list[int]:
    """At which of so many chances it was tried; each try pays, or none."""
    found = []
    for chance in range(chances):
        if patience.tries():
            found.append(chance)
            if pays:
                patience.paid()
            else:
                patience.failed()
    return found


def test_it_is_tried_always_while_it_pays() -> None:
    assert tries_of(Patience(), 1000, pays=True) == list(range(1000))


def test_in_vain_it_is_tried_more_and_more_rarely() -> None:
    tries = tries_of(Patience(), 5000, pays=False)
    assert tries == [0, 2, 6, 14, 30, 62, 126, 254, 510, 1022, 2046, 3070, 4094]


def test_once_in_vain_is_forgiven() -> None:
    patience = Patience()
    tries_of(patience, 16, pays=True)
    patience.failed()
    assert patience.tries()
    patience.failed()
    assert not patience.tries()


def test_luck_is_not_saved_for_ever() -> None:
    patience = Patience()
    tries_of(patience, 100_000, pays=True)
    assert len(tries_of(patience, 5000, pays=False)) < 30


def test_after_a_long_rest_the_first_that_pays_is_followed_by_another_try() -> None:
    patience = Patience()
    tries_of(patience, 5000, pays=False)
    while not patience.tries():
        pass
    patience.paid()
    assert patience.tries()


def test_what_pays_every_other_time_is_given_up() -> None:
    patience, tries = Patience(), 0
    for _ in range(5000):
        if patience.tries():
            tries += 1
            if tries % 2:
                patience.paid()
            else:
                patience.failed()
    assert tries < 500
