"""Names and values in the SQL that sources are asked with: quoted here and nowhere else."""

from sqlglot import Expr, exp

ALIAS = "source"
"""The alias of the table in every query, so that a column is never taken for an output name."""


def column(name: str, table: str | None = None) -> exp.Column:
    """A quoted column; `table` is the alias it belongs to, which keeps it apart from output names."""
    return exp.column(exp.to_identifier(name, quoted=True), table=table)


def table(schema: str, name: str, alias: str) -> exp.Table:
    """A quoted table with its schema, under an alias that we choose."""
    return exp.table_(
        exp.to_identifier(name, quoted=True), db=exp.to_identifier(schema, quoted=True), alias=alias
    )


def literal(value: str) -> exp.Literal:
    """A value as an untyped literal, which the server reads as the type of the column beside it."""
    return exp.Literal.string(value)


def number(value: str) -> Expr:
    """A value as a plain number.

    Raises:
        ValueError: it is none.
    """
    int(value)
    return exp.Neg(this=exp.Literal.number(value[1:])) if value[:1] == "-" else exp.Literal.number(value)


def call(name: str, *arguments: Expr) -> exp.Anonymous:
    """A function of the server, by the name that it has there."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def text_of(expression: Expr, dialect: str) -> str:
    """The SQL of an expression, as it is sent."""
    return expression.sql(dialect=dialect)
