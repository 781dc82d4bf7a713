from __future__ import annotations

from pathlib import Path

import pytest

from bench import excerpt
from bench.places import ROOT
from bench.results import Results
from bench.works import ROW
from tests.bench.samples import sample


def found() -> Results:
    """Everybody's every figure is 10."""
    made = Results(0.06)
    for name in excerpt.TITLES:
        work = ROW[name].work.name
        made.add(work, "longlink", sample(10.0, rss_per_connection_kib=10.0))
    return made


def test_each_readme_gets_a_table_in_its_language(tmp_path: Path) -> None:
    for name in excerpt.READMES:
        page = f"# longlink\n{excerpt.BEGIN}old\n{excerpt.END}the rest\n"
        (tmp_path / name).write_text(page, "utf-8")
    excerpt.write(found(), tmp_path)
    for language, name in enumerate(excerpt.READMES):
        page = (tmp_path / name).read_text("utf-8")
        assert "old" not in page
        assert page.endswith(f"{excerpt.END}the rest\n")
        for titles in excerpt.TITLES.values():
            assert f"| {titles[language]} |" in page


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="end of figures"):
        excerpt.replaced("# longlink\n", "")


@pytest.mark.parametrize("name", excerpt.READMES)
def test_the_readmes_have_the_marks(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    assert excerpt.replaced(page, "") != ""
