"""GraphQL for simulated vendors: a schema that refuses what it does not know, and only what was selected.

graphql-core parses, validates and coerces variables; the walk over the records is ours, because its own
executor takes tens of milliseconds for a page of 100 records.

    service = GraphQLService(SDL)
    query = service.prepare("query ($id: ID!) { account(accountId: $id) { name } }")
    service.execute(query, {"id": "1"}, {("Query", "account"): lambda parent, arguments: {"name": "Acme"}})
    # {"account": {"name": "Acme"}}
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution import get_argument_values, get_directive_values, get_variable_values
from graphql.language import DocumentNode

Json = Mapping[str, object]
"""One object, as a resolver gives it and as an answer holds it."""

Resolver = Callable[[Json, dict[str, object]], object]
"""What a field holds, from its parent object and the coerced arguments; other fields are read by name."""

Resolvers = Mapping[tuple[str, str], Resolver]
"""Resolvers by type and field name."""

KEPT_QUERIES = 256
"""How many parsed queries are kept; a client sends a handful of texts over and over."""


class GraphQLRefusal(Exception):
    """A query that is not executed, or not to its end; `errors` are the objects for the answer."""

    def __init__(self, *errors: Json) -> None:
        super().__init__("; ".join(str(error["message"]) for error in errors))
        self.errors: tuple[Json, ...] = errors

    @classmethod
    def of(cls, errors: Sequence[GraphQLError]) -> "GraphQLRefusal":
        """The refusal that these errors stand for."""
        return cls(*(cast("Json", error.formatted) for error in errors))


def refusal(message: str, code: str = "BAD_USER_INPUT") -> GraphQLRefusal:
    """One error object with the given extension code."""
    return GraphQLRefusal({"message": message, "extensions": {"code": code}})


@dataclass(frozen=True, slots=True, eq=False)
class PreparedQuery:
    """A parsed and valid query text with its chosen operation; `field_names` are all that it names."""

    document: DocumentNode
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    field_names: frozenset[str]

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation is OperationType.MUTATION


class GraphQLService:
    """A schema, and the queries prepared against it so far; safe between threads."""

    def __init__(self, sdl: str) -> None:
        self._schema = build_schema(sdl)
        self._prepared: dict[tuple[str, str | None], PreparedQuery] = {}

    def prepare(self, text: str, operation_name: str | None = None) -> PreparedQuery:
        """Parse and validate, once per text. Raises: GraphQLRefusal naming what is wrong with it."""
        known = self._prepared.get((text, operation_name))
        if known is not None:
            return known
        try:
            document = parse(text)
        except GraphQLError as error:
            raise GraphQLRefusal.of([error]) from error
        errors = validate(self._schema, document)
        if errors:
            raise GraphQLRefusal.of(errors)
        operation = get_operation_ast(document, operation_name)
        if operation is None:
            raise refusal("Must provide the name of one operation in the query.")
        fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        names = frozenset(_field_names(operation.selection_set, fragments))
        prepared = PreparedQuery(document, operation, fragments, names)
        if len(self._prepared) >= KEPT_QUERIES:
            self._prepared.clear()
        self._prepared[text, operation_name] = prepared
        return prepared

    def execute(self, query: PreparedQuery, variables: Json, resolvers: Resolvers) -> dict[str, object]:
        """The value of `data`. Raises: GraphQLRefusal for bad variables, or from a resolver."""
        if query.field_names & {"__schema", "__type"}:
            return self._introspect(query, variables)
        coerced = get_variable_values(self._schema, query.operation.variable_definitions, dict(variables))
        if isinstance(coerced, list):
            raise GraphQLRefusal.of(coerced)
        root = self._schema.mutation_type if query.is_mutation else self._schema.query_type
        if root is None:
            raise refusal("The schema has no such operation.")
        walk = _Walk(self._schema, query.fragments, coerced, resolvers)
        return walk.projector(root, [query.operation.selection_set])({})

    def _introspect(self, query: PreparedQuery, variables: Json) -> dict[str, object]:
        found = execute_sync(self._schema, query.document, variable_values=dict(variables))
        if found.errors or found.data is None:
            raise GraphQLRefusal.of(found.errors or [])
        return found.data


Projector = Callable[[Json], dict[str, object]]
"""From an object as held to the same object as selected."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """One execution: turns selections into projectors once, so that a page of records costs little each."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: dict[str, object]
    resolvers: Resolvers

    def projector(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> Projector:
        plain: list[tuple[str, str]] = []
        template: dict[str, object] = {}  # every key in the order asked, as the specification wants it
        computed: list[tuple[str, Callable[[Json], object], Callable[[object], object]]] = []
        for answer_key, nodes in self._collected(kind, selections).items():
            name = nodes[0].name.value
            template[answer_key] = kind.name if name == "__typename" else None
            if name == "__typename":
                continue
            definition = kind.fields[name]
            resolver = self.resolvers.get((kind.name, name))
            inner = [node.selection_set for node in nodes if node.selection_set is not None]
            if resolver is None and not inner:
                plain.append((answer_key, name))
                continue
            arguments = cast(
                "dict[str, object]", get_argument_values(definition, nodes[0], dict(self.variables))
            )
            reader = _by_name(name) if resolver is None else _resolved(resolver, arguments)
            computed.append((answer_key, reader, self._completion(definition.type, inner)))

        def project(parent: Json) -> dict[str, object]:
            selected = template.copy()
            for key, name in plain:
                selected[key] = parent.get(name)
            for key, read, complete in computed:
                value = read(parent)
                if value is not None:
                    selected[key] = complete(value)
            return selected

        return project

    def _completion(
        self, kind: GraphQLOutputType, selections: Sequence[SelectionSetNode]
    ) -> Callable[[object], object]:
        if isinstance(kind, GraphQLNonNull):
            return self._completion(cast("GraphQLOutputType", kind.of_type), selections)
        if isinstance(kind, GraphQLList):
            each = self._completion(cast("GraphQLOutputType", kind.of_type), selections)
            return lambda value: [each(one) for one in cast("Sequence[object]", value)]
        if isinstance(kind, GraphQLObjectType):
            project = self.projector(kind, selections)
            return lambda value: project(cast("Json", value))
        if isinstance(kind, GraphQLInterfaceType):
            by_name = {
                concrete.name: self.projector(concrete, selections)
                for concrete in self.schema.get_implementations(kind).objects
            }
            return lambda value: by_name[str(cast("Json", value)["__typename"])](cast("Json", value))
        return lambda value: value

    def _collected(
        self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        collected: dict[str, list[FieldNode]] = {}
        for selection_set in selections:
            for node in self._applying(kind, selection_set):
                answer_key = node.alias.value if node.alias else node.name.value
                collected.setdefault(answer_key, []).append(node)
        return collected

    def _applying(self, kind: GraphQLObjectType, selection_set: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
            include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
            if (skip and skip["if"]) or (include and not include["if"]):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                # graphql-core types it as always there; `... @include(if: $x) {` has none
                condition = cast("NamedTypeNode | None", node.type_condition)
                if condition is None or self._is_a(kind, condition.name.value):
                    yield from self._applying(kind, node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                if self._is_a(kind, fragment.type_condition.name.value):
                    yield from self._applying(kind, fragment.selection_set)

    def _is_a(self, kind: GraphQLObjectType, name: str) -> bool:
        return name == kind.name or any(interface.name == name for interface in kind.interfaces)


def _by_name(name: str) -> Callable[[Json], object]:
    return lambda parent: parent.get(name)


def _resolved(resolver: Resolver, arguments: dict[str, object]) -> Callable[[Json], object]:
    return lambda parent: resolver(parent, arguments)


def _field_names(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[str]:
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
            if node.selection_set is not None:
                yield from _field_names(node.selection_set, fragments)
        elif isinstance(node, InlineFragmentNode):
            yield from _field_names(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode):
            yield from _field_names(fragments[node.name.value].selection_set, fragments)
