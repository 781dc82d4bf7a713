"""What is offered and agreed on: RFC 7692 §5 and §7.1, both roles."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from longlink.errors import InvalidHeaderFormat, NegotiationError
from longlink.wire.deflate import Agreement, Deflate, judge, negotiate, offer, options_of
from longlink.wire.header import parse_extensions

NAME = "permessage-deflate"
NONE = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
BLANKS = "client_no_context_takeover;server_no_context_takeover"
PLAIN = Deflate()
TAKEOVER = Deflate(context_takeover=True)


def answer_to(header: str, options: Deflate = PLAIN) -> str | None:
    found = negotiate(parse_extensions(header), options)
    return None if found is None else found[0]


def agreed_by(header: str, options: Deflate = PLAIN) -> Agreement:
    found = negotiate(parse_extensions(header), options)
    assert found is not None
    return found[1]


def form(agreement: Agreement) -> tuple[int, bool, int, bool]:
    """Our window and whether we keep it, theirs and whether they keep it."""
    bits = agreement.deflater.bits
    return bits, agreement.keeps, agreement.inflate_bits, agreement.peer_keeps


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "options"),
    [(None, None), ("deflate", PLAIN), (TAKEOVER, TAKEOVER)],
)
def test_the_argument_stands_for_options(argument: Any, options: Deflate | None) -> None:
    assert options_of(argument) == options


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("gzip", ValueError),
        ("", ValueError),
        (True, TypeError),
        (1, TypeError),
        (Deflate, TypeError),
    ],
)
def test_what_is_no_compression_is_named(argument: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"compression is .*, expected None, 'deflate' or a Deflate"):
        options_of(argument)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"window_bits": 7}, ValueError, "window_bits is 7, expected 8 to 15"),
        ({"window_bits": 16}, ValueError, "window_bits is 16, expected 8 to 15"),
        ({"level": 0}, ValueError, "level is 0, expected 1 to 9"),
        ({"level": 10}, ValueError, "level is 10, expected 1 to 9"),
        ({"memory_level": 0}, ValueError, "memory_level is 0, expected 1 to 9"),
        ({"threshold": -1}, ValueError, "threshold is -1"),
        ({"window_bits": "15"}, TypeError, "window_bits is '15', expected a whole number"),
        ({"level": True}, TypeError, "level is True, expected a whole number"),
        ({"threshold": 1.5}, TypeError, "threshold is 1.5, expected a whole number"),
        ({"context_takeover": 1}, TypeError, "context_takeover is True or False, not int"),
    ],
)
def test_bad_options_are_named(given: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Deflate(**given)


# -- the server -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (NAME, NONE),
        (f"{NAME}; client_max_window_bits", NONE),
        (f"{NAME}; client_max_window_bits=15", NONE),
        (f'{NAME}; client_max_window_bits="15"', NONE),
        (f"{NAME}; client_max_window_bits=10", f"{NONE}; client_max_window_bits=10"),
        (f'{NAME}; client_max_window_bits="9"', f"{NONE}; client_max_window_bits=9"),
        (f"{NAME}; client_max_window_bits=8", f"{NONE}; client_max_window_bits=8"),
        (f"{NAME}; server_max_window_bits=15", f"{NONE}; server_max_window_bits=15"),
        (f"{NAME}; server_max_window_bits=9", f"{NONE}; server_max_window_bits=9"),
        (f'{NAME}; server_max_window_bits="8"', f"{NONE}; server_max_window_bits=8"),
        (f"{NAME}; server_no_context_takeover", NONE),
        (f"{NAME}; client_no_context_takeover", NONE),
        (
            f"{NAME} ;client_max_window_bits = 12;server_max_window_bits=11 ; {BLANKS}",
            f"{NONE}; server_max_window_bits=11; client_max_window_bits=12",
        ),
    ],
)
def test_a_server_answers(header: str, answer: str) -> None:
    assert answer_to(header) == answer


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (NAME, NAME),
        (f"{NAME}; client_max_window_bits", NAME),
        (f"{NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
        (f"{NAME}; client_no_context_takeover", f"{NAME}; client_no_context_takeover"),
        (f"{NAME}; server_max_window_bits=12", f"{NAME}; server_max_window_bits=12"),
    ],
)
def test_a_server_that_takes_over_context_answers(header: str, answer: str) -> None:
    assert answer_to(header, TAKEOVER) == answer


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (NAME, "; server_max_window_bits=11"),
        (f"{NAME}; server_max_window_bits=15", "; server_max_window_bits=11"),
        (f"{NAME}; server_max_window_bits=10", "; server_max_window_bits=10"),
        (
            f"{NAME}; client_max_window_bits",
            "; server_max_window_bits=11; client_max_window_bits=11",
        ),
        (
            f"{NAME}; client_max_window_bits=10",
            "; server_max_window_bits=11; client_max_window_bits=10",
        ),
        (
            f"{NAME}; client_max_window_bits=14",
            "; server_max_window_bits=11; client_max_window_bits=11",
        ),
    ],
)
def test_a_server_with_a_smaller_window_answers(header: str, answer: str) -> None:
    assert answer_to(header, Deflate(window_bits=11)) == NONE + answer


PARAMETERS = [
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=15x",
    "server_max_window_bits=+9",
    "server_max_window_bits=9.0",
    "server_max_window_bits=100000000000000000000",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=09",
    "client_max_window_bits=0",
    "client_max_window_bits; client_max_window_bits",
    "client_max_window_bits; client_max_window_bits=10",
    "server_no_context_takeover=1",
    "server_no_context_takeover=true",
    "client_no_context_takeover=15",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "Server_No_Context_Takeover",
    "unknown",
    "unknown=1",
    "server_max_window_bits=10; unknown",
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_an_offer_with_a_bad_parameter_is_declined(parameters: str) -> None:
    assert answer_to(f"{NAME}; {parameters}") is None


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_the_next_offer_is_taken_then(parameters: str) -> None:
    header = f"{NAME}; {parameters}, x-other; a=b, {NAME}; server_max_window_bits=10, {NAME}"
    assert answer_to(header) == f"{NONE}; server_max_window_bits=10"


@pytest.mark.parametrize(
    "header", ["x-webkit-deflate-frame", "permessage-bzip2, x", "PERMESSAGE-DEFLATE"]
)
def test_other_extensions_are_not_spoken(header: str) -> None:
    assert answer_to(header) is None


def test_the_first_offer_that_can_be_taken_wins() -> None:
    header = f"x, {NAME}; server_max_window_bits=9, {NAME}; server_max_window_bits=12"
    assert answer_to(header) == f"{NONE}; server_max_window_bits=9"


def test_two_thousand_offers_are_no_trouble() -> None:
    offers = parse_extensions(", ".join([f"{NAME}; server_max_window_bits=7"] * 2000 + [NAME]))
    found = negotiate(offers, PLAIN)
    assert found is not None
    assert found[0] == NONE


@pytest.mark.parametrize(
    ("header", "options", "expected"),
    [
        (NAME, PLAIN, (15, False, 15, False)),
        (NAME, TAKEOVER, (15, True, 15, True)),
        (f"{NAME}; server_no_context_takeover", TAKEOVER, (15, False, 15, True)),
        (f"{NAME}; client_no_context_takeover", TAKEOVER, (15, True, 15, False)),
        (f"{NAME}; server_max_window_bits=8", PLAIN, (9, False, 15, False)),
        (f"{NAME}; server_max_window_bits=9", PLAIN, (9, False, 15, False)),
        (f"{NAME}; client_max_window_bits=8", PLAIN, (15, False, 8, False)),
        (f"{NAME}; client_max_window_bits", Deflate(window_bits=10), (10, False, 10, False)),
        (NAME, Deflate(window_bits=10), (10, False, 15, False)),
    ],
)
def test_a_server_does_what_it_answers(
    header: str, options: Deflate, expected: tuple[int, bool, int, bool]
) -> None:
    assert form(agreed_by(header, options)) == expected


# -- the client -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "header"),
    [
        (PLAIN, f"{NONE}; client_max_window_bits"),
        (TAKEOVER, f"{NAME}; client_max_window_bits"),
        (
            Deflate(window_bits=10),
            f"{NONE}; server_max_window_bits=10; client_max_window_bits=10",
        ),
    ],
)
def test_a_client_offers(options: Deflate, header: str) -> None:
    assert offer(options) == header


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        (NONE, PLAIN, (15, False, 15, False)),
        # It was asked to forget and does not say that it will: costs memory, not meaning.
        (NAME, PLAIN, (15, False, 15, True)),
        (NAME, TAKEOVER, (15, True, 15, True)),
        (f"{NAME}; server_no_context_takeover", TAKEOVER, (15, True, 15, False)),
        (f"{NAME}; client_no_context_takeover", TAKEOVER, (15, False, 15, True)),
        (f"{NAME}; server_max_window_bits=8", TAKEOVER, (15, True, 8, True)),
        (f"{NAME}; server_max_window_bits=15", TAKEOVER, (15, True, 15, True)),
        (f'{NAME}; client_max_window_bits="9"', TAKEOVER, (9, True, 15, True)),
        (f"{NAME}; client_max_window_bits=8", TAKEOVER, (9, True, 15, True)),
        (NONE, Deflate(window_bits=10), (10, False, 15, False)),
        (
            f"{NAME}; server_max_window_bits=9; client_max_window_bits=9",
            Deflate(window_bits=10),
            (9, False, 9, True),
        ),
    ],
)
def test_a_client_obeys_the_answer(
    answer: str, options: Deflate, expected: tuple[int, bool, int, bool]
) -> None:
    assert form(judge(parse_extensions(answer), options)) == expected


@pytest.mark.parametrize(
    "parameters",
    [*PARAMETERS, "client_max_window_bits", "server_max_window_bits=10; client_max_window_bits"],
)
def test_a_client_refuses_a_bad_parameter(parameters: str) -> None:
    with pytest.raises(NegotiationError, match=NAME):
        judge(parse_extensions(f"{NAME}; {parameters}"), PLAIN)


@pytest.mark.parametrize("parameters", ["server_max_window_bits=11", "client_max_window_bits=11"])
def test_a_client_refuses_a_larger_window_than_it_offered(parameters: str) -> None:
    with pytest.raises(NegotiationError, match="=11, 10 was offered"):
        judge(parse_extensions(f"{NAME}; {parameters}"), Deflate(window_bits=10))


@pytest.mark.parametrize("answer", ["x-other", f"{NAME}, {NAME}", f"{NAME}, x-other"])
def test_a_client_refuses_what_it_did_not_offer(answer: str) -> None:
    with pytest.raises(NegotiationError, match="only permessage-deflate, once, was offered"):
        judge(parse_extensions(answer), PLAIN)


@pytest.mark.parametrize("header", ["", ";", "=x", f'{NAME}; a="unterminated', f"{NAME}; a b"])
def test_what_is_no_grammar_is_no_offer(header: str) -> None:
    with pytest.raises(InvalidHeaderFormat):
        parse_extensions(header)


# -- both -----------------------------------------------------------------------------------------

EVERY = [
    Deflate(context_takeover=takeover, window_bits=bits)
    for takeover, bits in itertools.product([False, True], range(8, 16))
]


@pytest.mark.parametrize("ours", EVERY)
def test_our_two_ends_understand_each_other(ours: Deflate) -> None:
    for theirs in EVERY:
        found = negotiate(parse_extensions(offer(theirs)), ours)
        assert found is not None
        answer, server = found
        client = judge(parse_extensions(answer), theirs)
        assert client.deflater.bits <= max(server.inflate_bits, 9)
        assert server.deflater.bits <= max(client.inflate_bits, 9)
        assert server.peer_keeps or not client.keeps
        assert client.peer_keeps == server.keeps


def test_an_agreement_is_shared() -> None:
    assert agreed_by(NAME) is agreed_by(f"{NAME}; client_max_window_bits")
    assert agreed_by(NAME) is judge(parse_extensions(NONE), PLAIN)
    assert agreed_by(NAME) is not agreed_by(NAME, TAKEOVER)
    assert agreed_by(NAME).deflater is agreed_by(NAME, TAKEOVER).deflater
