"""How often which value: within 1.6 % of each, in memory that does not grow.

Theory of operation. Values below 128 have a cell each. A larger one is halved until it is below:
its seven highest bits choose the cell, so a cell is never wider than a sixty-fourth of what it
holds. This is the idea of HdrHistogram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

STEPS = 64
HALVINGS = 42  # up to 2**48: three days in nanoseconds
CELLS = (HALVINGS + 2) * STEPS

_LARGEST = 2**48 - 1


class Histogram:
    """Values from 0 up, whole numbers; latencies here, in nanoseconds."""

    __slots__ = ("cells", "count", "most")

    def __init__(self) -> None:
        self.cells = [0] * CELLS
        self.count = 0
        self.most = 0

    def add(self, value: int) -> None:
        """One more."""
        value = max(value, 0)
        value = min(value, _LARGEST)
        if value > self.most:
            self.most = value
        shift = 0
        while value >= 32768:
            value >>= 8
            shift += 8
        while value >= 128:
            value >>= 1
            shift += 1
        self.cells[shift * STEPS + value] += 1
        self.count += 1

    def clear(self) -> None:
        """None at all."""
        self.cells = [0] * CELLS
        self.count = self.most = 0

    def snapshot(self) -> list[int]:
        """A copy of the cells, to be compared with a later one."""
        return list(self.cells)


def low_of(cell: int) -> int:
    """The least value that a cell holds."""
    if cell < 2 * STEPS:
        return cell
    return (cell % STEPS + STEPS) << (cell // STEPS - 1)


def quantile(cells: Sequence[int], share: float, most: int) -> int:
    """The value that `share` of those in the cells do not exceed; `most` is the largest."""
    total = sum(cells)
    wanted = max(1, round(share * total))
    seen = 0
    for cell, count in enumerate(cells):
        seen += count
        if count and seen >= wanted:
            return min(_middle_of(cell), most)
    return most


def filled(cells: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Low, high and count of each cell that holds something, from the lowest up."""
    for cell, count in enumerate(cells):
        if count:
            yield low_of(cell), low_of(cell + 1), count


def _middle_of(cell: int) -> int:
    return (low_of(cell) + low_of(cell + 1) - 1) // 2
