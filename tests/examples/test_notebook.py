"""The notebook, run from its first cell to its last in a kernel of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.examples.conftest import EXAMPLES
from tests.server.product import DEADLINE_S


async def executed(environment: dict[str, str]) -> list[str]:
    """What its code cells show, in order."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    place = {"metadata": {"path": str(EXAMPLES)}}
    client = NotebookClient(notebook, timeout=DEADLINE_S, resources=place)
    async with asyncio.timeout(3 * DEADLINE_S):
        await client.async_execute(env=environment)
    return ["".join(map(shown, cell.outputs)) for cell in notebook.cells if "outputs" in cell]


def shown(output: Any) -> str:
    return str(output["text"] if "text" in output else output["data"]["text/plain"])


async def test_the_notebook_reads_live_prices(
    require: Callable[[str], str], python_environment: dict[str, str]
) -> None:
    for part in ("nbclient", "ipykernel"):
        require(part)
    begin, prices, picture, nothing, end = await executed(python_environment)
    assert begin == ""
    assert prices.count("(124, ") == 4
    assert len(picture.splitlines()) == 4
    assert {len(line.split()[-1]) for line in picture.splitlines()} == {60}
    assert nothing == "no message within 0.001 seconds\n'OPEN'"
    assert end == "1000"


def test_the_notebook_was_saved_as_it_runs() -> None:
    """Whoever reads it without running it sees what it shows."""
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [1, 2, 3, 4, 5]
    assert any("█" in str(cell["outputs"]) for cell in code)
