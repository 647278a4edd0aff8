"""The reader of saved configurations: what json-c takes beyond JSON, every value's line, and bounds."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iaa_emulator import ConfigurationError
from iaa_emulator.hardware.saved_json import Array, Object, plain, read, tree

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_strict_json_is_read_as_the_standard_library_reads_it(
    document: object, indent: int | None, ascii: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii)
    assert plain(read(text).value) == json.loads(text)
    assert plain(tree(document).value) == document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2,]", [1, 2]),
        ('{"a": 1,}', {"a": 1}),
        ("// one\n[1 /* two\n */, // '\n 2]", [1, 2]),
        ("['a\"b', \"c'd\"]", ['a"b', "c'd"]),
        ('["// none", "/* none */"]', ["// none", "/* none */"]),
        ("[True, NULL, false]", [True, None, False]),
        ("[007, -0, 1.5, 2e3, 1.]", [7, 0, 1.5, 2000.0, 1.0]),
        ('["a\nb\\n\\u00e9\\ud83d\\ude00\\ud800"]', ["a\nb\né\U0001f600\ufffd"]),
        ("[1] and whatever else", [1]),
        ("[1]]]", [1]),
        ('{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
    ],
)
def test_the_liberties_of_the_parser_that_the_tool_uses(text: str, value: object) -> None:
    assert plain(read(text).value) == value
    assert math.isnan(plain(read("[NaN]").value)[0])


def test_a_key_that_came_twice_has_its_last_value_and_line_at_the_place_of_the_first() -> None:
    value = read('{"a": 1,\n "b": 2,\n "a": 3}').value
    assert isinstance(value, Object)
    assert list(value) == [("a", 3, 3), ("b", 2, 2)]


def test_lines_are_those_of_keys_and_items() -> None:
    value = read('// first\n{"a":\n\n 1, /*\n\n*/ "b": [\n2,\n3], "c": "x\ny", "d": 4}').value
    assert isinstance(value, Object)
    assert [(entry.key, entry.line) for entry in value] == [("a", 2), ("b", 6), ("c", 8), ("d", 9)]
    items = value[1].value
    assert isinstance(items, Array)
    assert [item.line for item in items] == [7, 8]


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("", 1, "nothing in it"),
        (" // all\n", 2, "nothing in it"),
        ("\ufeff[]", 1, "byte order mark"),
        ("[1,\n # two\n 2]", 2, "no value here"),
        ('{"a": 1\n "b": 2}', 2, "lacks a comma or a '}'"),
        ("[1\n2]", 2, "lacks a comma or a ']'"),
        ("[1", 1, "lacks a comma or a ']'"),
        ("[,]", 1, "no value here"),
        ("{a: 1}", 1, "no key in quotes"),
        ('{"a" 1}', 1, "lacks a colon behind the key 'a'"),
        ('{"a":}', 1, "no value here"),
        ('["a\n]', 1, "string that does not end"),
        ("[1, /* two\n", 1, "comment that does not end"),
        ('["\\x"]', 1, "escape \\x"),
        ("[0x10]", 1, "the word '0x10'"),
        ("[\u0661]", 1, "the word '\u0661'"),
        ("[yes]", 1, "the word 'yes'"),
        ("[\n" + "[" * 100_000, 2, "more than 31 deep"),
        ('[{"a":\n' * 100_000, 16, "more than 31 deep"),
        ("[\n\n" + "9" * 5000 + "]", 3, "number or word of 5000 characters"),
        ("[1e" + "9" * 5000 + "]", 1, "number or word of 5002 characters"),
    ],
)
def test_what_is_no_document_is_one_error_with_its_line(text: str, line: int, cause: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(text, "saved.conf")
    assert refused.value.cause.startswith(f"saved.conf:{line} ")
    assert cause in refused.value.cause and refused.value.remedy


def test_who_comments_with_a_hash_is_told_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match="Begin comments with //"):
        read("# saved by hand\n[]")


@given(st.text(alphabet="{}[],:\"'\\/*#1-ea \n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        plain(read(text).value)
