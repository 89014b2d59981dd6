# SPDX-License-Identifier: MIT
"""How a parameter is written and a response taken apart, wherever in a buffer it lies."""

import pytest
from onemo import at_syntax

BEFORE = b'+CME ERROR: "9,'  # what is no part of the response
BEHIND = b'9",9"'


@pytest.fixture(params=["alone", "at the end of a buffer", "within a buffer"])
def laid(request):
    """Lays a response somewhere: buffer, its start, its end."""
    if request.param == "alone":
        return lambda text: (text, 0, len(text))
    behind = BEHIND if request.param == "within a buffer" else b""
    return lambda text: (BEFORE + text + behind, len(BEFORE), len(BEFORE + text))


# Out


@pytest.mark.parametrize("value", [0, 1, 9, 10, 11, 99, 100, 101, 8192, 1234567890])
def test_numbers_are_written_in_decimal(value):
    out = bytearray(b"x")
    at_syntax.decimal(out, value)
    assert out == b"x%d" % value


def test_all_of_printable_ascii_but_three():
    allowed = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '",\\')
    at_syntax.check_text(allowed, "text", 200)
    for code in [*range(0x20), 0x22, 0x2C, 0x5C, *range(0x7F, 0x101)]:
        with pytest.raises(ValueError, match="contains"):
            at_syntax.check_text("a" + chr(code) + "b", "text")


@pytest.mark.parametrize("length", [1, 2, 64])
def test_lengths_of_a_name(length):
    at_syntax.check_text("n" * length, "name")


def message(kind, check, *arguments):
    with pytest.raises(kind) as caught:
        check(*arguments)
    return str(caught.value)


def test_what_is_said_of_a_bad_text():
    say = at_syntax.check_text
    assert message(TypeError, say, b"x", "pskid") == "pskid must be a str, not bytes"
    assert (
        message(ValueError, say, "", "name")
        == "name '' has 0 characters; the module takes 1 to 64"
    )
    assert (
        message(ValueError, say, "n" * 100, "name", 99)
        == f"name '{'n' * 20}' has 100 characters; the module takes 1 to 99"
    )
    assert (
        message(ValueError, say, "a,b", "name")
        == "name 'a,b' contains ','; use printable ASCII without quote, comma or backslash"
    )


@pytest.mark.parametrize("what", ["password", "pin", "pskid", "module.password"])
@pytest.mark.parametrize("secret", ['Zx9vQ2m"K7', "Zx9vQ2mK7" * 40])
def test_what_is_said_of_a_bad_secret_shows_nothing_of_it(what, secret):
    said = message(ValueError, at_syntax.check_text, secret, what, 99)
    assert said.startswith(what + " ")
    assert secret[:6] not in said


@pytest.mark.parametrize("max_len", [64, 253])
def test_what_is_said_of_a_key_in_place_of_a_name_shows_nothing_of_it(max_len):
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIDj3vWb8\n-----END EC PRIVATE KEY-----\n"
    said = message(ValueError, at_syntax.check_text, key, "key", max_len)
    assert said.startswith("key '-----BEGIN ")
    assert "MHcC" not in said


def test_ranges():
    for value in (-1, 0, 1, 5):
        at_syntax.check_range(value, "ssl_id", -1, 5)
    assert (
        message(ValueError, at_syntax.check_range, -2, "ssl_id", -1, 5)
        == "ssl_id is -2; it must be -1 to 5"
    )
    assert (
        message(ValueError, at_syntax.check_range, 6, "ssl_id", -1, 5)
        == "ssl_id is 6; it must be -1 to 5"
    )
    assert (
        message(TypeError, at_syntax.check_range, "1", "ssl_id", 0, 5)
        == "ssl_id must be an int, not str"
    )


# Final results


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b"OK", at_syntax.OK),
        (b"ERROR", at_syntax.ERROR),
        (b"+CME ERROR: 752", at_syntax.CME_ERROR),
        (b"+CME ERROR:752", at_syntax.CME_ERROR),
        (b"+ CME ERROR: 752", at_syntax.CME_ERROR),
        (b"+CME ERROR: no ERROR: 0", at_syntax.CME_ERROR),
        (b"+CMS ERROR: 500", at_syntax.OTHER_ERROR),
        (b"+CIS ERROR: x", at_syntax.OTHER_ERROR),
        (b"+ CIS ERROR: x", at_syntax.OTHER_ERROR),
        *[
            (line, 0)
            for line in (
                b"",
                b"O",
                b"OKAY",
                b"NO",
                b"ERRORS",
                b"ERR",
                b"TERROR",
                b"+CME ERROR",
                b"+CXX ERROR: 1",
                b"+CME: ERROR: 1",
                b"+CME",
                b"+C ERROR: 1",
                b"+CM ERROR: 1",
                b"+CIME ERROR: 1",
                b"+CXCME ERROR: 1",
                b"+  CME ERROR: 1",
                b"+X: CME ERROR: 1",
                b"+CSQ: CME ERROR: 1",
                b"CME ERROR: 1",
                b"-CME ERROR: 1",
                b" +CME ERROR: 1",
            )
        ],
    ],
)
def test_final_results_are_whole_lines(laid, line, verdict):
    assert at_syntax.final(*laid(line)) == verdict


def test_what_follows_a_line_is_not_of_it():
    for line in (b"OK", b"ERROR", b"+CME ERROR:"):
        assert all(at_syntax.final(line, 0, end) == 0 for end in range(len(line)))
        assert at_syntax.final(line, 0, len(line))


# In


@pytest.mark.parametrize(
    ("line", "at"), [(b"+X: 1", 4), (b"+X:1", 3), (b"+X:  1", 4), (b"+X: 1:2", 4)]
)
def test_parameters_begin_after_colon_and_space(laid, line, at):
    buf, start, end = laid(line)
    assert at_syntax.after_colon(buf, start, end) == start + at


@pytest.mark.parametrize("line", [b"+X:", b"+X", b"", b"+X: "])
def test_a_response_without_parameters_begins_at_its_end(laid, line):
    buf, start, end = laid(line)
    assert at_syntax.after_colon(buf, start, end) == end


def test_a_colon_or_space_further_on_is_another_lines():
    assert at_syntax.after_colon(b"+X\r\n+Y: 1", 0, 2) == 2
    assert at_syntax.after_colon(b"+X: 1", 0, 3) == 3


FIELDS = [
    (b"a,b,c", [0, 2, 4]),
    (b",,", [0, 1, 2]),
    (b'"a,b",c', [0, 6]),
    (b'"","c","d"', [0, 3, 7]),
    (b'x,"a,,b",c', [0, 2, 9]),
    (b'1,"open', [0, 2]),
    (b'"open,1', [0]),
    (b"", [0]),
]


@pytest.mark.parametrize(("text", "places"), FIELDS)
def test_fields_by_number(laid, text, places):
    buf, start, end = laid(text)
    for index, place in enumerate(places):
        assert at_syntax.field(buf, start, end, index) == start + place
    for index in range(len(places), len(places) + 3):
        assert at_syntax.field(buf, start, end, index) == -1


ENDS = [
    (b"a,b", 0, 1),
    (b"a,b", 2, 3),
    (b"a,b,c", 0, 1),
    (b",b", 0, 0),
    (b"a,", 2, 2),
    (b"", 0, 0),
    (b'"a,b",c', 0, 5),
    (b'"","c"', 0, 2),
    (b'"","c"', 3, 6),
    (b'x,"a,b",c', 2, 7),
    (b'"open,1', 0, 7),
]


@pytest.mark.parametrize(("text", "at", "stop"), ENDS)
def test_where_a_field_ends(laid, text, at, stop):
    buf, start, end = laid(text)
    assert at_syntax.field_end(buf, start + at, end) == start + stop


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0", 0),
        (b"7,8", 7),
        (b"  42", 42),
        (b"-42", -42),
        (b" -1,", -1),
        (b"99999999", 99999999),
        (b"999999999", 999999999),
        (b"0000000001", 1),
        (b"1000000000", None),
        (b"10000000000", None),
        (b"-99999999999", None),
        (b"123456789012345678901234567890", None),
        (b"-", None),
        (b"", None),
        (b" ", None),
        (b"x1", None),
        (b"1x", None),
        (b"/1", None),
        (b":1", None),
        (b"1/", None),
        (b"1,x", 1),
        (b'1"', 1),
        (b"1 x", 1),
        (b"1)", 1),
        (b"1\xb1", None),
        (b"9:", None),
        (b'"1"', None),
        (b"- 1", None),
    ],
)
def test_numbers_are_read(text, value):
    assert at_syntax.number(text, 0, len(text)) == value
    assert at_syntax.number(b"5" + text, 1, 1 + len(text)) == value


def test_a_number_ends_where_its_line_does():
    assert at_syntax.number(b"1234", 0, 2) == 12
    assert at_syntax.number(b" 1234", 0, 1) is None
    assert at_syntax.number(b"-1234", 0, 1) is None
    assert at_syntax.number(b"1234", 2, 2) is None
    assert at_syntax.number(b"-1", 0, 0) is None


@pytest.mark.parametrize(
    ("line", "at", "said"),
    [
        (b"plain", 0, "plain"),
        (b"a,b", 0, "a"),
        (b"a,b", 2, "b"),
        (b'"a,b",c', 0, "a,b"),
        (b'"",c', 0, ""),
        (b"a,", 2, ""),
        (b",a", 0, ""),
        (b'"open', 0, "open"),
        (b"5'6\"", 0, "5'6\""),
        (b'"\xe9\x00"', 0, "??"),
    ],
)
def test_text_is_without_its_quotes(laid, line, at, said):
    buf, start, end = laid(line)
    assert at_syntax.text(buf, start + at, end) == said


@pytest.mark.parametrize(
    "data", [b"", b" ~", b"\x1f \x7f~", b"\x80", b"\x7f", b"\xffa\x00", b"a\xff"]
)
def test_bytes_as_str(data):
    said = "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in data)
    assert at_syntax.ascii_str(data) == at_syntax.ascii_str(bytearray(data)) == said


def test_bytes_that_were_given_are_left_alone():
    data = bytearray(b"a\xff")
    at_syntax.ascii_str(data)
    assert data == b"a\xff"


@pytest.mark.parametrize(
    ("line", "at", "name", "is_it"),
    [
        (b"abc", 0, b"abc", True),
        (b"abc,1", 0, b"abc", True),
        (b'"abc"', 0, b"abc", True),
        (b'"abc",1', 0, b"abc", True),
        (b'1,"abc"', 2, b"abc", True),
        (b"abcd", 0, b"abc", False),
        (b'"abcd"', 0, b"abc", False),
        (b"ab", 0, b"abc", False),
        (b"xbc", 0, b"abc", False),
        (b"1,", 2, b"abc", False),
        (b"", 0, b"abc", False),
    ],
)
def test_a_parameter_is_a_name(laid, line, at, name, is_it):
    buf, start, end = laid(line)
    assert at_syntax.same(buf, start + at, end, name) is is_it


def test_a_name_that_the_line_cuts_off_is_another():
    assert not at_syntax.same(b"abc", 0, 2, b"abc")
    assert not at_syntax.same(b'"abc"', 0, 3, b"abc")
