"""WebSocket URIs, and the host and port that other headers share with them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longlink.errors import InvalidURI
from longlink.wire import uri
from longlink.wire.authority import split_authority
from longlink.wire.uri import URI


@pytest.mark.parametrize(
    ("text", "expected", "resource", "host_header"),
    [
        ("ws://h", URI(False, "h", 80), "/", "h"),  # RFC 6455 3: "/" for an empty path
        ("wss://h", URI(True, "h", 443), "/", "h"),
        ("ws://h:80/", URI(False, "h", 80, "/"), "/", "h"),
        ("ws://h:", URI(False, "h", 80), "/", "h"),  # RFC 3986 3.2.3: an empty port is the default
        ("ws://h:443/", URI(False, "h", 443, "/"), "/", "h:443"),
        ("wss://h:80/", URI(True, "h", 80, "/"), "/", "h:80"),
        ("ws://h:1", URI(False, "h", 1), "/", "h:1"),
        ("ws://h:65535", URI(False, "h", 65535), "/", "h:65535"),
        ("WSS://Example.COM/Path", URI(True, "example.com", 443, "/Path"), "/Path", "example.com"),
        ("ws://h/a?b=c&d", URI(False, "h", 80, "/a", "b=c&d"), "/a?b=c&d", "h"),
        ("ws://h?b=c", URI(False, "h", 80, "", "b=c"), "/?b=c", "h"),
        ("ws://h/a?", URI(False, "h", 80, "/a"), "/a", "h"),  # RFC 6455 3: if not empty
        ("ws://h/a?b?c", URI(False, "h", 80, "/a", "b?c"), "/a?b?c", "h"),
        ("ws://h//x", URI(False, "h", 80, "//x"), "//x", "h"),
        ("ws://h/%ff%", URI(False, "h", 80, "/%ff%"), "/%ff%", "h"),
        ('ws://h/?{"a":[1]}|', URI(False, "h", 80, "/", '{"a":[1]}|'), '/?{"a":[1]}|', "h"),
        ("ws://127.0.0.1:8008/ws", URI(False, "127.0.0.1", 8008, "/ws"), "/ws", "127.0.0.1:8008"),
        ("ws://[::1]/", URI(False, "::1", 80, "/"), "/", "[::1]"),
        ("ws://[0:0::0001]:9/", URI(False, "::1", 9, "/"), "/", "[::1]:9"),
        (
            "ws://u:p@h/",
            URI(False, "h", 80, "/", username="u", password="p"),
            "/",
            "h",
        ),
        ("ws://u@h", URI(False, "h", 80, username="u", password=""), "/", "h"),
        ("ws://@h", URI(False, "h", 80, username="", password=""), "/", "h"),
        (
            "ws://a%40b:%C3%A9%20x:y@h",
            URI(False, "h", 80, username="a@b", password="é x:y"),
            "/",
            "h",
        ),
        ("ws://münchen.de", URI(False, "xn--mnchen-3ya.de", 80), "/", "xn--mnchen-3ya.de"),
        (
            "ws://日本.jp:8008",
            URI(False, "xn--wgv71a.jp", 8008),
            "/",
            "xn--wgv71a.jp:8008",
        ),
        (
            "ws://h/é%20?ü",
            URI(False, "h", 80, "/%C3%A9%20", "%C3%BC"),
            "/%C3%A9%20?%C3%BC",
            "h",
        ),
    ],
)
def test_good(text: str, expected: URI, resource: str, host_header: str) -> None:
    parsed = uri.parse(text)
    assert parsed == expected
    assert (parsed.resource, parsed.host_header) == (resource, host_header)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("h", id="no-scheme"),
        pytest.param("//h/", id="relative"),
        pytest.param("ws:h", id="no-slashes"),
        pytest.param("ws:/h", id="one-slash"),
        pytest.param("http://h", id="http"),
        pytest.param("https://h", id="https"),
        pytest.param("wsx://h", id="other-scheme"),
        pytest.param("1ws://h", id="no-scheme-by-grammar"),
        pytest.param("ws://", id="nothing-after-the-slashes"),
        pytest.param("ws:///x", id="empty-host"),
        pytest.param("ws://:80/", id="port-without-host"),
        pytest.param("ws://?q", id="query-without-host"),
        pytest.param("ws://h/#f", id="fragment"),  # RFC 6455 3
        pytest.param("ws://h/#", id="empty-fragment"),
        pytest.param("ws://h#", id="fragment-at-the-host"),
        pytest.param("ws://h/?a#b", id="fragment-in-the-query"),
        pytest.param("ws://h:0", id="port-0"),
        pytest.param("ws://h:65536", id="port-65536"),
        pytest.param("ws://h:000080", id="port-of-six-digits"),
        pytest.param("ws://h:99999999999999999999", id="port-huge"),
        pytest.param("ws://h:-1", id="port-negative"),
        pytest.param("ws://h:+1", id="port-signed"),
        pytest.param("ws://h:8_0", id="port-underscore"),
        pytest.param("ws://h:٨٠", id="port-unicode-digits"),
        pytest.param("ws://h: 80", id="port-blank"),
        pytest.param("ws://h:80:81", id="two-ports"),
        pytest.param("ws://h:http", id="port-name"),
        pytest.param("ws://h /", id="blank-in-host"),
        pytest.param(" ws://h/", id="blank-before"),
        pytest.param("ws://h/ ", id="blank-after"),
        pytest.param("ws://h/a b", id="blank-in-path"),
        pytest.param("ws://h/\r\nHost: evil", id="line-end-in-path"),
        pytest.param("ws://h\r\n/", id="line-end-in-host"),
        pytest.param("ws://h/\n", id="line-feed-at-the-end"),
        pytest.param("ws://h/\t", id="tab"),
        pytest.param("ws://h/\x00", id="nul"),
        pytest.param("ws://h/\x7f", id="delete"),
        pytest.param("ws://h\\@evil/", id="backslash"),
        pytest.param("ws://a,b/", id="comma"),
        pytest.param("ws://[::1/", id="bracket-open"),
        pytest.param("ws://::1]/", id="bracket-closed"),
        pytest.param("ws://::1/", id="ipv6-without-brackets"),
        pytest.param("ws://[]/", id="ipv6-empty"),
        pytest.param("ws://[:::]/", id="ipv6-malformed"),
        pytest.param("ws://[1.2.3.4]/", id="ipv4-in-brackets"),
        pytest.param("ws://[fe80::1%25eth0]/", id="ipv6-zone"),
        pytest.param("ws://h%2/", id="host-half-encoded"),
        pytest.param("ws://a:b@c@d:e/", id="port-name-after-userinfo"),
        pytest.param("ws://u%3av:p@h/", id="colon-in-user"),  # RFC 7617 2
        pytest.param("ws://u:p%0d%0a@h/", id="line-end-in-password"),
        pytest.param("ws://u:\r\n@h/", id="raw-line-end-in-password"),
        pytest.param("ws://\ud800/", id="surrogate-in-host"),
        pytest.param("ws://h/\ud800", id="surrogate-in-path"),
        pytest.param(f"ws://{'é' * 64}/", id="label-too-long-for-idna"),
        pytest.param(f"ws://{'é.' * 32_000}/", id="name-too-long-for-idna"),
        pytest.param("ws://é：81/", id="full-width-colon"),
        pytest.param("ws://é／evil/", id="full-width-slash"),
        pytest.param("ws://é＠evil/", id="full-width-at"),
    ],
)
def test_bad(text: str) -> None:
    with pytest.raises(InvalidURI) as caught:
        uri.parse(text)
    assert caught.value.uri == text
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", ("h", None)),
        ("H.Example", ("h.example", None)),
        ("h.", ("h.", None)),
        ("h:", ("h", None)),
        ("h:0", ("h", 0)),
        ("h:65535", ("h", 65535)),
        ("[::1]", ("::1", None)),
        ("[::FFFF:1.2.3.4]:1", ("::ffff:102:304", 1)),
        ("a%2Fb", ("a%2fb", None)),
        ("a_b-c~d", ("a_b-c~d", None)),
        ("", None),
        (":1", None),
        ("h:65536", None),
        ("u@h", None),
        ("u:p@h", None),
        ("h/", None),
        ("h h", None),
        ("a,b", None),
        ("h:1:2", None),
        ("h:x", None),
        ("[::1", None),
        ("[g::]", None),
        ("[1::2::3]", None),
        ("h\x85", None),
        ("é", None),
        ("h:١", None),
    ],
)
def test_split_authority(text: str, expected: tuple[str, int | None] | None) -> None:
    assert split_authority(text) == expected


URIS = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["ws", "wss", "WS", "http", ""]),
    st.text(st.sampled_from("ahé.:@[]%1/ "), max_size=12),
    st.sampled_from(["", "/", "?", "/#"]),
    st.text(max_size=12),
)


@given(st.one_of(st.text(), URIS))
@example("ws://[" + ":" * 50_000)
@example("ws://" + "a" * 50_000 + "%")
@example("ws://h/" + "\\" * 50_000 + " ")
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = uri.parse(text)
    except InvalidURI:
        return
    # What is sent is one word of visible ASCII, and names a host.
    assert parsed.resource.startswith("/")
    assert all("!" <= c <= "~" and c != "#" for c in parsed.resource + parsed.host_header)
    assert 1 <= parsed.port <= 65535
    assert split_authority(parsed.host_header) is not None


# -- redirects ------------------------------------------------------------------------------------

BASE = uri.parse("wss://user:pass@h.example:8443/a/b?c")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        pytest.param("/x?y", "wss://h.example:8443/x?y", id="absolute-path"),
        pytest.param("x", "wss://h.example:8443/a/x", id="relative-path"),
        pytest.param("../x", "wss://h.example:8443/x", id="parent"),
        pytest.param("?y", "wss://h.example:8443/a/b?y", id="query"),
        pytest.param("", "wss://h.example:8443/a/b?c", id="empty"),
        pytest.param("/x#f", "wss://h.example:8443/x", id="fragment"),
        pytest.param("//other/x", "wss://other/x", id="other-host"),
        pytest.param("https://h.example:8443/x", "wss://h.example:8443/x", id="https"),
        pytest.param("http://h.example:8443/x", "ws://h.example:8443/x", id="http"),
        pytest.param("HTTPS://H.Example:8443/x", "wss://h.example:8443/x", id="letter-case"),
        pytest.param("wss://evil:evil@h.example:8443/", "wss://h.example:8443/", id="userinfo"),
        pytest.param("wss://[::1]:1/", "wss://[::1]:1/", id="ipv6"),
    ],
)
def test_where_a_redirect_leads(location: str, expected: str) -> None:
    found = uri.resolve(BASE, location)
    assert str(found) == expected
    same = found.origin == BASE.origin
    assert (found.username, found.password) == (("user", "pass") if same else (None, None))


@pytest.mark.parametrize(
    "location",
    ["ftp://h/", "javascript:x", "wss://h:0/", "a b", "a\tb", "/\xe9", "//[::1/", "https:///x"],
)
def test_a_redirect_to_nowhere(location: str) -> None:
    with pytest.raises(InvalidURI):
        uri.resolve(BASE, location)


def test_the_authority_always_tells_the_port() -> None:
    assert uri.parse("ws://h/x").authority == "h:80"
    assert uri.parse("wss://[::1]").authority == "[::1]:443"


def test_no_repr_tells_the_password() -> None:
    assert "secret" not in repr(uri.parse("ws://user:secret@host/"))
