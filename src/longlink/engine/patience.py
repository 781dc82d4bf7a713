"""Whether it pays to look once more before the loop sleeps.

Theory of operation. To sleep and to be woken costs some 15 µs of a processor, and the message that
wakes us has waited for that. Who is answered often answers at once, so for about as long as it
would cost to sleep the reactor looks whether something comes. Where that is in vain more than one
time in seventeen the loop sleeps at once, and only now and then there is a try, more and more
rarely: whose peers take their time loses nothing. So rarely, for who shares a processor with them
saves 2 µs when it pays, and loses 30 when it does not.
"""

from __future__ import annotations

_MISS = 16  # so many times it must have paid for each time that it did not
_MOST_LUCK = 64
_LONGEST_REST = 1023


class Patience:
    """Remembers how often it paid."""

    __slots__ = ("luck", "rest", "resting")

    def __init__(self) -> None:
        self.luck = 0
        self.rest = 0  # how long a rest is now
        self.resting = 0  # of which so much is left

    def tries(self) -> bool:
        """Whether to look once more now."""
        if self.resting:
            self.resting -= 1
            return False
        return True

    def paid(self) -> None:
        """Something had come."""
        self.luck += 1
        if self.luck >= _MOST_LUCK:
            self.luck = _MOST_LUCK
            self.rest = 0

    def failed(self) -> None:
        """It was in vain."""
        self.luck -= _MISS
        if self.luck < 0:
            self.luck = 0
            self.rest = self.resting = min(2 * self.rest + 1, _LONGEST_REST)
