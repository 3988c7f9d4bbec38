"""Path templates: what parses, what does not, what overlaps, how values are decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.template import TemplateError, Variable, parse


def test_a_template_is_its_segments_its_verb_and_its_variables() -> None:
    template = parse("/v1/{photo.name=personas/*/photos/*}:move")
    assert template.segments == ("v1", "personas", "*", "photos", "*")
    assert template.verb == "move"
    assert template.variables == (Variable("photo.name", 1, 5, multi=True),)


@pytest.mark.parametrize(
    ("text", "segments", "variable"),
    [
        ("/v1/{id}", ("v1", "*"), Variable("id", 1, 2, multi=False)),
        ("/v1/{id=*}", ("v1", "*"), Variable("id", 1, 2, multi=False)),
        ("/v1/{path=**}", ("v1", "**"), Variable("path", 1, None, multi=True)),
        ("/{name=a/**}", ("a", "**"), Variable("name", 0, None, multi=True)),
        ("/{name=a/b}/c", ("a", "b", "c"), Variable("name", 0, 2, multi=True)),
        ("/caf%C3%A9/{x_y.z1}", ("café", "*"), Variable("x_y.z1", 1, 2, multi=False)),
    ],
)
def test_variables_span_their_segments(
    text: str, segments: tuple[str, ...], variable: Variable
) -> None:
    template = parse(text)
    assert template.segments == segments
    assert template.variables == (variable,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected '/' at character 0"),
        ("v1/a", "expected '/' at character 0"),
        ("/", "expected a segment at character 1"),
        ("/v1//a", "expected a segment at character 4"),
        ("/v1/", "expected a segment at character 4"),
        ("/v1/{", "expected a field path at character 5"),
        ("/v1/{a", "expected '}' at character 6"),
        ("/v1/{a={b}}", "cannot hold another"),
        ("/v1/{a=}", "expected a segment"),
        ("/v1/{a.}", "expected '}'"),
        ("/v1/{1a}", "expected a field path"),
        ("/v1/{a}/{a}", "a appears twice"),
        ("/v1/**/a", "** must be the last segment"),
        ("/v1/{a=**}/b", "** must be the last segment"),
        ("/v1/a:", "expected a verb"),
        ("/v1/a:b/c", "expected the end at character 7"),
        ("/v1/a b", "expected the end"),
        ("/v1/a*", "expected the end"),
    ],
)
def test_what_is_no_template_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/v1/{name=a/*}", "/v1/a/{id}", True),
        ("/v1/a/*", "/v1/*/b", True),
        ("/v1/a/b", "/v1/a/c", False),
        ("/v1/a/*", "/v1/a", False),
        ("/v1/a/*:x", "/v1/a/*", False),
        ("/v1/a/*:x", "/v1/a/*:y", False),
        ("/v1/a/*:x", "/v1/*/b:x", True),
        ("/v1/**", "/v1/a/b/c", True),
        ("/v1/**", "/v1", True),
        ("/v1/**", "/v2/a", False),
        ("/v1/a/**", "/v1/b/**", False),
        ("/**", "/v1/**", True),
    ],
)
def test_overlap(one: str, other: str, expected: bool) -> None:
    assert parse(one).overlaps(parse(other)) is expected
    assert parse(other).overlaps(parse(one)) is expected


def test_a_single_segment_is_decoded_fully_and_several_keep_their_slashes() -> None:
    single, several = Variable("a", 0, 1, multi=False), Variable("a", 0, 2, multi=True)
    assert single.decode("x%2Fy%20z%3A") == "x/y z:"
    assert several.decode("a%20b/x%2Fy%2fz%252F") == "a b/x%2Fy%2fz%2F"


@pytest.mark.parametrize("multi", [True, False])
def test_escapes_that_are_not_utf_8_are_refused(multi: bool) -> None:
    with pytest.raises(UnicodeDecodeError):
        Variable("a", 0, 1, multi=multi).decode("%ff")


@given(st.text(alphabet="/{}=*:.ab%2", max_size=16))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError:
        return
    assert template.text == text
    assert template.overlaps(template)
