from __future__ import annotations

import dataclasses
import re
from typing import Any

import click
import pytest

from longlink import Limits, serve
from longlink.cli.group import main
from longlink.cli.option import make_options
from longlink.server import service
from longlink.server.config import Config

LIMITS = dataclasses.fields(Limits)
OPTIONS = [entry for entry in dataclasses.fields(Config) if entry.name != "limits"]
# A value of each option, as typed and as understood, that is not the default.
OTHER: dict[str, tuple[str, Any]] = {
    "overflow": ("drop", "drop"),
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "uds": ("/tmp/x", "/tmp/x"),
    "backlog": ("5", 5),
    "origin": ("https://a.example", ("https://a.example",)),
    "allow_host": ("a.example", ("a.example",)),
    "forwarded_allow_ips": ("10.0.0.0/8", ("10.0.0.0/8",)),
    "echo": ("1", True),
    "max_file": ("7", 7),
    "compression": ("deflate", "deflate"),
    "ssl_certfile": ("c.pem", "c.pem"),
    "ssl_keyfile": ("k.pem", "k.pem"),
    "ssl_keyfile_password": ("secret", "secret"),
    "ssl_ca_certs": ("ca.pem", "ca.pem"),
    "ssl_cert_reqs": ("optional", "optional"),
    "shutdown_timeout": ("0.5", 0.5),
    "loop": ("asyncio", "asyncio"),
    "log_level": ("error", "error"),
    "use_colors": ("true", True),
}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that would have been served."""
    ran: list[Config] = []

    def run(config: Config) -> int:
        ran.append(config)
        return 0

    monkeypatch.setattr(service, "run", run)
    return ran


def value_of(entry: dataclasses.Field[Any]) -> tuple[str, Any]:
    return OTHER.get(entry.name, ("77", 77))


def flag_of(entry: dataclasses.Field[Any]) -> str:
    return "--" + entry.name.replace("_", "-")


def test_without_arguments_the_defaults_are_served(ran: list[Config]) -> None:
    assert main(["serve"]) == 0
    assert ran == [Config()]


@pytest.mark.parametrize("entry", [*LIMITS, *OPTIONS], ids=lambda entry: entry.name)
def test_flag_and_environment_say_the_same(
    entry: dataclasses.Field[Any], ran: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, understood = value_of(entry)
    flag = [flag_of(entry)] if "bool" in str(entry.type) else [flag_of(entry), typed]
    assert main(["serve", *flag]) == 0
    monkeypatch.setenv("LONGLINK_" + entry.name.upper(), typed)
    assert main(["serve"]) == 0
    by_flag, by_environment = ran
    assert by_flag == by_environment != Config()
    holder = by_flag.limits if entry in LIMITS else by_flag
    assert getattr(holder, entry.name) == understood


@pytest.mark.parametrize("entry", LIMITS, ids=lambda entry: entry.name)
def test_every_limit_is_a_keyword_of_serve(entry: dataclasses.Field[Any]) -> None:
    _, understood = value_of(entry)
    made = serve(on_message=print, **{entry.name: understood})
    assert getattr(made.policy.limits, entry.name) == understood


@pytest.mark.parametrize("entry", [*LIMITS, *OPTIONS], ids=lambda entry: entry.name)
def test_a_flag_wins_over_the_environment(
    entry: dataclasses.Field[Any], ran: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, _ = value_of(entry)
    flag = [flag_of(entry)] if "bool" in str(entry.type) else [flag_of(entry), typed]
    main(["serve", *flag])
    monkeypatch.setenv("LONGLINK_" + entry.name.upper(), str(entry.default or "false"))
    main(["serve", *flag])
    assert ran[0] == ran[1]


@pytest.mark.parametrize("entry", [*LIMITS, *OPTIONS], ids=lambda entry: entry.name)
def test_help_names_every_option_with_its_meaning(
    entry: dataclasses.Field[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"{flag_of(entry)}\b", text)
    # Click breaks lines after hyphens.
    assert entry.metadata["help"][1:].replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize("entry", LIMITS, ids=lambda entry: entry.name)
def test_none_switches_a_limit_off_where_that_is_allowed(
    entry: dataclasses.Field[Any], ran: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["serve", flag_of(entry), "none"])
    if "None" in str(entry.type):
        assert code == 0
        assert getattr(ran[0].limits, entry.name) is None
    else:
        assert code == 2
        assert flag_of(entry) in capsys.readouterr().err
        assert ran == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--max-size", "x"], "'--max-size': 'x' is not a whole number or none"),
        (["--max-size", "1.5"], "'--max-size': '1.5' is not a whole number or none"),
        (
            ["--max-size", "-1"],
            "'--max-size': max_size must be greater than 0 and at most 2**62, not -1",
        ),
        (
            ["--max-size", "0"],
            "'--max-size': max_size must be greater than 0 and at most 2**62, not 0",
        ),
        (["--write-limit", "x"], "'--write-limit': 'x' is not a whole number"),
        (["--open-timeout", "x"], "'--open-timeout': 'x' is not a number or none"),
        (["--open-timeout", "nan"], "'--open-timeout': 'nan' is not a finite number or none"),
        (["--open-timeout", "inf"], "'--open-timeout': 'inf' is not a finite number or none"),
        (["--port", "65536"], "'--port': port must be from 0 to 65535, not 65536"),
        (["--port", "-1"], "'--port': port must be from 0 to 65535, not -1"),
        (["--port", "http"], "'--port': 'http' is not a whole number"),
        (["--backlog", "0"], "'--backlog': backlog must be from 1 to 2147483647, not 0"),
        (
            ["--backlog", "2147483648"],
            "'--backlog': backlog must be from 1 to 2147483647, not 2147483648",
        ),
        (
            ["--backlog", "99999999999999999999"],
            "'--backlog': backlog must be from 1 to 2147483647, not 99999999999999999999",
        ),
        (
            ["--shutdown-timeout", "-1"],
            "'--shutdown-timeout': shutdown_timeout must be at least 0, not -1.0",
        ),
        (["--max-file", "0"], "'--max-file': max_file must be at least 1, not 0"),
        (["--shutdown-rate", "0"], "'--shutdown-rate': shutdown_rate must be at least 1, not 0"),
        (
            ["--compression", "gzip"],
            "'--compression': 'gzip' is not one of 'off', 'deflate'.",
        ),
        (
            ["--ssl-cert-reqs", "3"],
            "'--ssl-cert-reqs': '3' is not one of 'none', 'optional', 'required', '0', '1', '2'.",
        ),
        (
            ["--origin", "https://a.example", "--origin", "a.example"],
            "'--origin': origin must look like https://example.com, not 'a.example'",
        ),
        (
            ["--origin", "https://a.example/"],
            "'--origin': origin must look like https://example.com, not 'https://a.example/'",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_value_and_limit(
    arguments: list[str],
    complaint: str,
    ran: list[Config],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["serve", *arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"longlink: invalid value for {complaint}\n")
    name = arguments[-2][2:].replace("-", "_").upper()
    monkeypatch.setenv(f"LONGLINK_{name}", arguments[-1])
    assert main(["serve"]) == 2
    _, _, said = complaint.partition(": ")
    assert capsys.readouterr().err == f"longlink: invalid value for LONGLINK_{name}: {said}\n"
    assert ran == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "extra"], "extra"),
        (["serve", "--port"], "--port"),
        (["swerve"], "swerve"),
        (["serve", "--overflow", "x"], "'close', 'drop'"),
        (["serve", "--loop", "x"], "'auto', 'asyncio', 'uvloop'"),
        (["serve", "--uds", "x", "--port", "9"], "--uds is instead of --host and --port"),
        (["serve", "--uds", "x", "--host", "127.0.0.1"], "but --host was given"),
        (["serve", "--fd", "3", "--port", "9"], "--fd is instead of --host and --port"),
        (["serve", "--fd", "3", "--uds", "x"], "--fd is instead of --uds, but --uds was given"),
        (["serve", "--fd", "-1"], "fd must be at least 0, not -1"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("longlink: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


def test_several_origins(ran: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ("https://a.example", "https://b.example:8443")
    main(["serve", "--origin", listed[0], "--origin", listed[1]])
    monkeypatch.setenv("LONGLINK_ORIGIN", " ".join(listed))
    main(["serve"])
    assert [config.origin for config in ran] == [listed, listed]


def test_a_port_of_the_environment_may_stand_beside_uds(
    ran: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGLINK_PORT", "9")
    assert main(["serve", "--uds", "x"]) == 0
    assert [config.uds for config in ran] == ["x"]


@pytest.mark.parametrize(
    ("typed", "host"), [("[::1]", "::1"), ("[fe80::1%lo]", "fe80::1%lo"), ("[]", "[]"), ("[", "[")]
)
def test_brackets_around_an_ipv6_address(typed: str, host: str, ran: list[Config]) -> None:
    assert main(["serve", "--host", typed]) == 0
    assert [config.host for config in ran] == [host]


def test_longlink_alone_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "serve" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "serve" in capsys.readouterr().out


def test_the_exit_code_is_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "run", lambda config: 2)
    assert main(["serve"]) == 2


def test_every_option_has_its_own_name() -> None:
    options = make_options(Config) + make_options(Limits)
    flags = [flag for option in options for flag in (*option.opts, *option.secondary_opts)]
    assert len(set(flags)) == len(flags)
    assert all(isinstance(option, click.Option) for option in options)
