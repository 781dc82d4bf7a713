"""Completion, in a real shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longlink.cli.completion import SHELLS
from longlink.cli.group import COMMANDS, main

# Completes what stands in $LINE as bash does when Tab is pressed.
PRESS_TAB = """
eval "$(longlink completion bash)"
function_of() { local words; words=($(complete -p longlink)); echo "${words[-2]}"; }
read -ra COMP_WORDS <<< "$LINE"
[[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
"$(function_of)" longlink "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(python_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which `longlink` is a command."""
    program = tmp_path / "bin" / "longlink"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m longlink "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join((str(program.parent), python_environment["PATH"]))
    return {**python_environment, "PATH": path}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("longlink ", set(COMMANDS)),
        ("longlink con", {"connect"}),
        ("longlink connect --he", {"--header", "--help"}),
        ("longlink serve --log-level ", {"critical", "error", "warning", "info", "debug"}),
    ],
)
def test_bash_completes(line: str, expected: set[str], shell: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", PRESS_TAB],
        env={**shell, "LINE": line},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


@pytest.mark.parametrize("name", SHELLS)
def test_each_shell_has_a_script(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", name]) == 0
    script = capsys.readouterr().out
    assert f"_LONGLINK_COMPLETE={name}_complete" in script
    assert main(["completion", "--help"]) == 0
    assert f"longlink completion {name}" in capsys.readouterr().out


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err
