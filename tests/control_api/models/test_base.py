"""What the models share: closed to what they do not know, and one shape for every problem."""

import pytest
from pydantic import TypeAdapter, ValidationError

from control_api.faults import Fault, Recorded, problem
from control_api.models import Nothing, Page, Problem, Ready
from control_api.models.base import AgentName, Comment, ExpiresIn, PersonName, Service, Word
from firewall.errors import Pending, Refused
from firewall.ids import ActionId


def every[K: Exception](kind: type[K]) -> list[type[K]]:
    return [each for child in kind.__subclasses__() for each in (child, *every(child))]


@pytest.mark.parametrize("kind", [*every(Fault), *(kind for kind in every(Refused) if not issubclass(kind, Pending))])
def test_every_problem_that_is_answered_has_the_shape_that_is_published(kind: type[Fault] | type[Refused]) -> None:
    """All but what is pending, which the API answers with a 201."""
    error = kind("why")
    for each in (error, Recorded(error, ActionId("act_1"))) if isinstance(error, Refused) else (error,):
        shown = problem(each)
        read = Problem.model_validate_json(Problem.model_validate(shown.body).model_dump_json())
        assert (read.status, read.detail) == (shown.status, "why")


def test_what_clients_send_has_no_unknown_fields() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Nothing.model_validate({"force": True})
    assert Nothing.model_validate({}) == Nothing()


@pytest.mark.parametrize("limit", [0, -1, 1001, "many", 1.5])
def test_a_page_has_one_to_a_thousand_rows(limit: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Page.model_validate({"limit": limit})
    assert [each["loc"] for each in caught.value.errors()] == [("limit",)]


def test_a_page_has_fifty_rows_unless_it_says_otherwise() -> None:
    assert (Page().limit, Page.model_validate({"limit": "1000"}).limit) == (50, 1000)


@pytest.mark.parametrize("name", ["a", "build-bot", "0", "a.b_c-d", "x" * 63])
def test_an_agents_name_fits_into_a_proxy_url(name: str) -> None:
    assert TypeAdapter(AgentName).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a:b", "a@b", "a/b", "a%2f", "é", "x" * 64, "a\n"])
def test_what_does_not_fit_is_no_name_of_an_agent(name: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        TypeAdapter(AgentName).validate_python(name)


@pytest.mark.parametrize(
    ("given", "kept"), [("Änne Müller", "Änne Müller"), ("  Ann ", "Ann"), ("李雷", "李雷"), ("O'Hara", "O'Hara")]
)
def test_a_persons_name_is_any_printable_text_without_its_edges(given: str, kept: str) -> None:
    assert TypeAdapter(PersonName).validate_python(given) == kept


def test_a_persons_name_spelt_in_two_ways_is_one_person() -> None:
    composed, decomposed = "M\u00fcller", "Mu\u0308ller"
    assert TypeAdapter(PersonName).validate_python(decomposed) == composed


@pytest.mark.parametrize(
    "name", ["", "   ", "a\x1b[2J", "a\nb", "a\x9b2J", "a\u202eb", "a\u200bb", "a\u2028b", "\ufeffAnn", "x" * 101]
)
def test_a_persons_name_holds_nothing_that_cannot_be_seen(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(PersonName).validate_python(name)
    assert caught.value.error_count() == 1


@pytest.mark.parametrize("name", ["issues/create", "s3:PutObject", "chat.postMessage", "GET"])
def test_a_vendors_word_is_taken_as_it_stands(name: str) -> None:
    assert TypeAdapter(Word).validate_python(name) == name


@pytest.mark.parametrize("name", ["GitHub", "a:b", "a/b", "", "x" * 65])
def test_a_service_holds_nothing_that_could_be_taken_for_its_operation(name: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        TypeAdapter(Service).validate_python(name)


def test_comments_and_lifetimes_are_bounded() -> None:
    for kind, value in ((Comment, "x" * 4001), (ExpiresIn, 0), (ExpiresIn, 366 * 86_400 + 1)):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(value)


def test_ready_knows_two_states() -> None:
    with pytest.raises(ValidationError, match="Input should be 'ok' or 'degraded'"):
        Ready.model_validate({"status": "fine", "dependencies": {}})
