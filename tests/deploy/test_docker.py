"""The Dockerfile, as far as it can be judged without a daemon: its steps, done here by hand."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from longlink.cli.group import main
from longlink.server.config import Config
from tests.deploy.conftest import ROOT
from tests.server.product import serving

Environment = dict[str, str]


def instructions() -> list[tuple[str, str]]:
    """What the Dockerfile says: instruction and argument, in its order."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in pairs]


def all_of(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def one(word: str) -> str:
    (rest,) = all_of(word)
    return rest


def copied() -> dict[str, str]:
    """What is copied from the tree, and to where in the folder of the build."""
    found = {}
    for rest in all_of("COPY"):
        if not rest.startswith("--from="):
            *sources, target = rest.split()
            into = target.endswith("/")  # otherwise it is the new name
            found.update({each: Path(target, each if into else "").as_posix() for each in sources})
    return found


def environment() -> dict[str, str]:
    pairs = (each.partition("=") for rest in all_of("ENV") for each in shlex.split(rest))
    return {name: value for name, _, value in pairs}


def probe() -> list[str]:
    """The command of the health check, run by this Python."""
    command = json.loads(one("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: its last pattern that fits says so."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        parts = [path, *(str(parent) for parent in Path(path).parents)]
        short = pattern.removeprefix("**/")
        if any(fnmatch(part, pattern) or fnmatch(Path(part).name, short) for part in parts):
            verdict = not line.startswith("!")
    return verdict


def test_what_is_copied_is_there_and_not_ignored() -> None:
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for outside in (".git", ".venv", "tests", "build", "src/x/__pycache__", "src/x/kernel.so"):
        assert ignored(outside), outside


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what is copied and nothing else."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(folder / "context.tar", "w") as archive:
        for source, target in copied().items():
            archive.add(ROOT / source, target)
    with tarfile.open(folder / "context.tar") as archive:
        archive.extractall(folder, filter="data")
    yield folder
    shutil.rmtree(folder)


def test_that_is_enough_to_build_the_wheel(context: Path) -> None:
    (step,) = [rest for rest in all_of("RUN") if "pip wheel" in rest]
    setting, _, command = step.partition(" ")
    assert setting == "LONGLINK_COMPILE=all"  # it compiles or fails; here it need not take a minute
    arguments = shlex.split(command.replace("/wheels", str(context / "wheels")))
    subprocess.run(
        [sys.executable, "-m", *arguments, "--no-build-isolation", "--quiet"],
        env={**os.environ, "LONGLINK_PURE": "1"},
        cwd=context,
        check=True,
        timeout=120,
        capture_output=True,
    )
    (wheel,) = (context / "wheels").glob("longlink-*.whl")
    with zipfile.ZipFile(wheel) as found:
        assert {"longlink/__init__.py", "longlink/server/page/index.html"} <= set(found.namelist())


def test_it_is_no_root_and_stops_politely() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one("USER"))
    assert one("STOPSIGNAL") == "SIGTERM"
    assert len(all_of("FROM")) == 2
    assert len(set(all_of("FROM")[1].split())) == 1  # the last stage has nothing of the first
    installed = [rest for rest in all_of("RUN") if "apt-get" in rest]
    last = instructions()[[word for word, _ in instructions()].index("FROM", 1) :]
    assert not any((("RUN", rest) in last) for rest in installed)


def test_the_command_is_accepted(monkeypatch: pytest.MonkeyPatch, ran: list[Config]) -> None:
    for name, value in environment().items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    words: list[str] = [*json.loads(one("ENTRYPOINT")), *json.loads(one("CMD"))]
    program, *arguments = words
    assert program == "longlink"
    assert main(arguments) == 0
    assert (ran[0].host, str(ran[0].port)) == ("0.0.0.0", one("EXPOSE"))


async def probed(environment: Environment) -> int:
    """What the health check says: 0 is healthy."""
    process = await asyncio.create_subprocess_exec(
        *probe(), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_the_health_check_tells_running_from_stopped(python_environment: Environment) -> None:
    async with serving(python_environment) as product:
        inside = {**python_environment, "LONGLINK_PORT": str(urlsplit(product.url).port)}
        assert await probed(inside) == 0
        await product.stop()
        assert await probed(inside) == 1
