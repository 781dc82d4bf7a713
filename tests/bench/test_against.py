from __future__ import annotations

from pathlib import Path

import pytest

from bench import against
from bench.copies import of_revision
from bench.peers import BY_NAME as PEER
from bench.works import BY_NAME as WORK
from bench.works import ROW
from tests.bench.samples import results

SUBJECTS = [PEER["longlink"]]
MADE = results(
    {
        ("echo-32x100", "floor"): [5.0, 5.0, 5.0],
        ("echo-32x100", "longlink"): [6.0, 12.0, 6.0],
        ("echo-32x100", "longlink before"): [8.0, 10.0, 8.0],
    }
)


def test_both_copies_and_the_floor_are_measured_in_turn() -> None:
    works = [WORK["echo-32x100"], WORK["client-32x1"]]
    (_, servers), (_, clients) = against.plan(works, SUBJECTS, Path("/there"))
    assert [peer.name for peer in servers] == ["floor", "longlink", "longlink before"]
    assert [peer.folder for peer in servers] == [None, None, Path("/there")]
    assert [peer.name for peer in clients] == ["longlink", "longlink before"]


def test_a_change_is_the_median_of_what_each_round_says() -> None:
    assert against.change(MADE, ROW["echo-32x100"], "longlink") == pytest.approx(0.75)


def test_the_report_has_both_and_their_ratios() -> None:
    lines = against.report(MADE, [WORK["echo-32x100"], WORK["handshake"]], SUBJECTS).splitlines()
    assert lines[1].split() == ["echo-32x100", "longlink", "8", "6", "-25.0%", "1.600,", "1.200"]
    assert lines[2] == "handshake longlink: not measured"


def test_a_folder_is_a_copy_and_nonsense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "longlink").mkdir()
    (tmp_path / "longlink" / "__init__.py").touch()
    assert of_revision(str(tmp_path)) == tmp_path
    with pytest.raises(SystemExit, match="neither a revision nor a folder"):
        of_revision("no-such-revision")
