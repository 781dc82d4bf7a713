"""The parts of `longlink connect` that need no server."""

from __future__ import annotations

import resource
import ssl
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from longlink import Close, Limits, PayloadTooBig
from longlink.errors import connection_closed
from longlink.tool.connect import command, form
from longlink.tool.connect.address import discreet, meant
from longlink.tool.connect.command import BadCommand
from longlink.tool.connect.dial import dial, place_of
from longlink.tool.connect.ending import MEANINGS, Code, of_close, of_failure
from longlink.tool.connect.plan import Plan
from longlink.tool.connect.prompt import CommandCompleter
from longlink.tool.connect.save import CannotSave, Shelf


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("ws://example.com/x", "ws://example.com/x"),
        ("WSS://example.com", "wss://example.com"),
        ("http://example.com:81/x?y", "ws://example.com:81/x?y"),
        ("HTTPS://example.com", "wss://example.com"),
        ("example.com", "ws://example.com"),
        ("example.com:8008/ws", "ws://example.com:8008/ws"),
        ("example.com:443", "wss://example.com:443"),
        ("example.com:443/x?y=z:443", "wss://example.com:443/x?y=z:443"),
        ("example.com/a:443/", "ws://example.com/a:443/"),
        ("//example.com/", "ws://example.com/"),
        (":8008/ws", "ws://localhost:8008/ws"),
        ("8008", "ws://localhost:8008"),
        ("8008/ws", "ws://localhost:8008/ws"),
        ("/ws", "ws://localhost/ws"),
        ("[::1]:8008", "ws://[::1]:8008"),
        ("127.0.0.1", "ws://127.0.0.1"),
        (" ws://example.com\n", "ws://example.com"),
        ("ftp://example.com", "ftp://example.com"),
    ],
)
def test_what_is_typed_for_a_uri(typed: str, uri: str) -> None:
    assert meant(typed) == uri


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("ws://x/?a=1&access_token=t0p&b", "ws://x/?a=1&access_token=…&b"),
        ("/?apikey=t0p", "/?apikey=…"),
        ("/a=token=1?q=token", "/a=token=1?q=token"),
        ("/?token=", "/?token="),
    ],
)
def test_secrets_of_a_query_are_masked(target: str, shown: str) -> None:
    assert discreet(target) == shown


@pytest.mark.parametrize(
    ("uri", "plan", "complaint"),
    [
        ("ftp://x", Plan(), "invalid URI 'ftp://x': scheme is 'ftp', expected ws or wss"),
        ("ws://a b", Plan(), "invalid URI 'ws://a b'"),
        ("ws://x", Plan(execute=("a",), binary=True), "--execute and --binary exclude each other"),
        ("ws://x", Plan(quiet=True, verbose=True), "--quiet and --verbose exclude each other"),
        ("ws://x", Plan(insecure=True), "--insecure is for wss:// and https:// URIs"),
        ("wss://x", Plan(key="k"), "--key needs --cert"),
        ("wss://x", Plan(cacert="/none"), "cannot read /none (--cacert): No such file"),
        ("wss://x", Plan(cert="/none"), "cannot read /none (--cert): No such file"),
        ("wss://x", Plan(cacert=__file__), f"cannot use {__file__} (--cacert): no PEM file"),
        ("ws://x", Plan(subprotocol=("a b",)), "'a b', expected a token"),
        ("ws://x", Plan(header=("a b: c",)), "'a b'"),
        ("ws://x", Plan(proxy="ftp://u:hidden@x"), "invalid proxy"),
    ],
)
def test_what_can_never_work_is_one_line(uri: str, plan: Plan, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        dial(uri, plan, Limits())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"header": ("nonsense",)}, "a header must look like 'Name: value', not 'nonsense'"),
        ({"header": (": x",)}, "not ': x'"),
        ({"user": "hidden"}, "user must look like NAME:PASSWORD"),
        ({"ping": 0.0}, "ping must be at least 0.001, not 0.0"),
        ({"wait": -1.0}, "wait must be at least 0, not -1.0"),
        ({"count": 0}, "count must be at least 1, not 0"),
        ({"execute": ("a", "b\udcff")}, "execute must be UTF-8, but octet 0xff at 1 is not"),
        ({"user": "hidden:\udcff"}, "user must be UTF-8, but octet 0xff at 7 is not"),
        ({"save": ""}, "save must be a folder or a file, not ''"),
    ],
)
def test_a_bad_value_is_named_with_its_limit(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        Plan(**options)  # type: ignore[arg-type]
    assert complaint in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_where_it_connects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def place(uri: str, **options: str) -> str:
        return place_of(dial(uri, Plan(**options), Limits()))  # type: ignore[arg-type]

    assert place("ws://ann:hidden@x:1/y?token=hidden") == "ws://x:1/y?token=…"
    assert place("ws://x", uds="/run/x") == "ws://x/ at /run/x"
    assert place("ws://x", proxy="http://u:hidden@p:3128") == "ws://x/ through http://p:3128"
    monkeypatch.setenv("http_proxy", "p:1")
    assert place("ws://x") == "ws://x/ through http://p:1"
    assert place("ws://x", proxy="off") == "ws://x/"
    monkeypatch.setenv("http_proxy", "nonsense://")
    assert place("ws://x") == "ws://x/"


BROKEN = PayloadTooBig("message over the limit of 5 bytes")


@pytest.mark.parametrize(
    ("rcvd", "sent", "peer_first", "code"),
    [
        (Close(1000), Close(1000), True, Code.OK),
        (Close(1001), Close(1001), True, Code.OK),
        (Close(1005), Close(1005), True, Code.OK),
        (Close(1000), Close(1000), False, Code.OK),
        (Close(4000), Close(4000), False, Code.OK),
        (Close(1011), Close(1000), False, Code.OK),  # we had said goodbye
        (Close(4000), Close(4000), True, Code.CLOSED),
        (Close(1008), Close(1008), True, Code.CLOSED),
        (Close(1012), None, None, Code.CLOSED),
        (None, Close(1009, "", BROKEN), None, Code.CLOSED),
        (None, Close(1000), None, Code.OK),
        (None, Close(1011, "keepalive ping timeout"), None, Code.LOST),
        (None, None, None, Code.LOST),
    ],
)
def test_the_exit_code_of_a_close(
    rcvd: Close | None, sent: Close | None, peer_first: bool | None, code: Code
) -> None:
    assert of_close(connection_closed(rcvd, sent, peer_first)).code is code


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Code)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (TimeoutError("late"), "no answer within 3 s"),
        (TimeoutError(110, "Connect call failed"), "Connection timed out"),
        (ConnectionRefusedError(111, "Connect call failed"), "Connection refused"),
        (OSError("no \x1b route"), r"no \x1b route"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), "TLS failed: "),
    ],
)
def test_why_there_is_no_connection(failure: Exception, words: str) -> None:
    ending = of_failure(failure, "ws://x/", 3.0)
    assert ending.code is Code.UNREACHED
    assert ending.text.startswith("cannot connect to ws://x/: ")
    assert words in ending.text


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("", None),
        ("hello", command.Send("hello")),
        (" blanks ", command.Send(" blanks ")),
        ("//x", command.Send("/x")),
        ("/text", command.Send("")),
        ("/text /x ", command.Send("/x ")),
        ("/binary", command.Send(b"")),
        ("/binary 00 ff", command.Send(b"\x00\xff")),
        ("/file 'a b'", command.SendFile("a b")),
        ("/ping", command.Ping()),
        ("/close", command.Close(1000, "")),
        ("/close 4000", command.Close(4000, "")),
        ("/close 4000  so it is", command.Close(4000, "so it is")),
        ("/help", command.Help()),
    ],
)
def test_what_a_typed_line_asks_for(line: str, action: command.Action | None) -> None:
    assert command.parse(line) == action


@pytest.mark.parametrize(
    "line",
    ["/x", "/ping now", "/binary 0", "/file", "/file a b", "/file 'a", "/close x", "/help x"],
)
def test_a_line_that_cannot_be_obeyed(line: str) -> None:
    with pytest.raises(BadCommand) as caught:
        command.parse(line)
    assert "\n" not in str(caught.value)


def test_help_lists_every_command() -> None:
    text = "\n".join(command.help_lines())
    assert all(each.usage in text and each.help in text for each in command.COMMANDS.values())


def test_binary_as_hex() -> None:
    assert form.hex_of(b"") == "binary, 0 bytes"
    assert form.hex_of(b"\x00") == "binary, 1 byte: 00  |.|"
    assert form.hex_of(b"Hi\xff") == "binary, 3 bytes: 48 69 ff  |Hi.|"
    lines = form.hex_of(bytes(range(200))).split("\n")
    assert lines[0] == "binary, 200 bytes:"
    assert lines[2] == (
        "  000010  10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f  |................|"
    )
    assert lines[9:] == ["  … 72 more; --save writes them"]


def test_half_a_message_is_not_saved(tmp_path: Path) -> None:
    shelf = Shelf(f"{tmp_path}/")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CannotSave, match=r"cannot save to .*0001\.bin: File too large"):
            shelf.save(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    assert shelf.save(b"whole") == f"{tmp_path}/0002.bin"


def complete(text: str) -> list[str]:
    completer = CommandCompleter()
    return [found.text for found in completer.get_completions(Document(text), CompleteEvent())]


def test_what_tab_completes(tmp_path: Path) -> None:
    assert complete("/pi") == ["/ping"]
    assert "/help" in complete("/")
    assert complete("hello /pi") == complete("") == complete("/close 4") == []
    (tmp_path / "picture.png").touch()
    assert complete(f"/file {tmp_path}/pic") == ["ture.png"]
