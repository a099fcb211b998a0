"""The GraphQL service answers what was selected and refuses what its schema does not know."""

from collections.abc import Mapping

import pytest

from propexo_connect.simulators.graphql import GraphQLRefusal, GraphQLService, Resolvers

SDL = """
type Query { shelf(kind: Kind, limits: Limits): Shelf }
type Mutation { clear: Boolean }
enum Kind { TALL LOW }
input Limits { most: Int }
type Shelf { name: String books: [Book!] owner: Owner }
type Book { id: ID! title: String }
interface Owner { type: String }
type Person implements Owner { type: String name: String }
type Shop implements Owner { type: String street: String }
"""

SHELF: Mapping[str, object] = {
    "name": "A",
    "books": [{"id": "1", "title": "One", "hidden": True}, {"id": "2"}],
    "owner": {"__typename": "Shop", "type": "SHOP", "street": "Mill Lane"},
}


def ask(text: str, operation_name: str | None = None, **variables: object) -> dict[str, object]:
    service = GraphQLService(SDL)

    def shelf(_: Mapping[str, object], given: dict[str, object]) -> object:
        return {**SHELF, "name": str(given) if given else SHELF["name"]}

    resolvers: Resolvers = {("Query", "shelf"): shelf}
    return service.execute(service.prepare(text, operation_name), variables, resolvers)


def test_only_the_selected_fields_are_answered() -> None:
    assert ask("{ shelf { books { id } } }") == {"shelf": {"books": [{"id": "1"}, {"id": "2"}]}}


def test_fields_come_in_the_order_asked() -> None:
    answered = ask("{ shelf { owner { type } __typename name } }")
    assert str(answered["shelf"]) == "{'owner': {'type': 'SHOP'}, '__typename': 'Shelf', 'name': 'A'}"


def test_a_field_that_a_record_lacks_is_null() -> None:
    assert ask("{ shelf { books { title } } }") == {"shelf": {"books": [{"title": "One"}, {"title": None}]}}


def test_fields_may_have_other_names_in_the_answer() -> None:
    assert ask("{ s: shelf { called: name } }") == {"s": {"called": "A"}}


def test_selections_of_one_field_are_merged() -> None:
    assert ask("{ shelf { books { id } } shelf { books { title } name } }") == {
        "shelf": {"books": [{"id": "1", "title": "One"}, {"id": "2", "title": None}], "name": "A"}
    }


def test_fragments_apply_to_their_type_only() -> None:
    asked = "{ shelf { owner { __typename type ... on Person { name } ... on Shop { street } } } }"
    assert ask(asked) == {"shelf": {"owner": {"__typename": "Shop", "type": "SHOP", "street": "Mill Lane"}}}


def test_named_fragments_and_those_on_the_interface_apply() -> None:
    asked = "{ shelf { owner { ...o ... on Owner { type } } } } fragment o on Shop { street }"
    assert ask(asked) == {"shelf": {"owner": {"street": "Mill Lane", "type": "SHOP"}}}


@pytest.mark.parametrize(("wanted", "expected"), [(True, {"name": "A"}), (False, {})])
def test_skip_and_include_are_honoured(wanted: bool, expected: dict[str, object]) -> None:
    asked = "query ($w: Boolean!) { shelf { name @include(if: $w) ... @skip(if: true) { books { id } } } }"
    assert ask(asked, w=wanted) == {"shelf": expected}


def test_arguments_and_variables_are_coerced() -> None:
    asked = "query ($l: Limits) { shelf(kind: TALL, limits: $l) { name } }"
    assert ask(asked, l={"most": 3}) == {"shelf": {"name": "{'kind': 'TALL', 'limits': {'most': 3}}"}}


def test_a_selected_operation_is_chosen_by_name() -> None:
    asked = "query One { shelf { name } } query Two { shelf { books { id } } }"
    assert ask(asked, "One") == {"shelf": {"name": "A"}}
    with pytest.raises(GraphQLRefusal, match="name of one operation"):
        ask(asked)


def test_the_schema_can_be_asked_for() -> None:
    assert ask('{ __type(name: "Limits") { inputFields { name } } }') == {
        "__type": {"inputFields": [{"name": "most"}]}
    }


def test_the_names_of_all_fields_are_known_before_execution() -> None:
    prepared = GraphQLService(SDL).prepare(
        "{ shelf { owner { ...o ... on Person { name } } } } fragment o on Shop { street }"
    )
    assert prepared.field_names == {"shelf", "owner", "street", "name"}
    assert not prepared.is_mutation


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{ shelf { colour } }", "Cannot query field 'colour' on type 'Shelf'"),
        ("{ shelf { owner { street } } }", "Cannot query field 'street' on type 'Owner'"),
        ("{ shelf(limits: {least: 1}) { name } }", "Field 'least' is not defined by type 'Limits'"),
        ("{ shelf(kind: WIDE) { name } }", "Value 'WIDE' does not exist in 'Kind' enum"),
        ("{ shelf", "Syntax Error"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(GraphQLRefusal, match=complaint):
        ask(text)


def test_an_unknown_key_in_a_variable_is_refused() -> None:
    with pytest.raises(GraphQLRefusal, match="Field 'least' is not defined by type 'Limits'"):
        ask("query ($l: Limits) { shelf(limits: $l) { name } }", l={"least": 1})
