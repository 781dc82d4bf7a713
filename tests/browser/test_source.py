"""What the page's files may and may not contain."""

from __future__ import annotations

import re

from tests.browser.fake import PAGE


def test_the_source_keeps_the_rules() -> None:
    """Nothing inline, nothing from elsewhere, no way for text to become markup."""
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"""\sstyle=|\son\w+=|<style|<script(?![^>]*src=)""", html)
    for path in PAGE.iterdir():
        source = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", source), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", source)
        assert len(source.splitlines()) < 300, path.name
