"""The lookup `any`: `filter(pk__any=ids)` sends all ids as one array.

`pk__in=ids` makes one parameter of each: with 1,000 ids, building and parsing the statement takes longer than
its work. Only for ids (integers, UUIDs): their text needs no quoting inside an array.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, ForeignKey, Lookup
from django.db.models.sql.compiler import SQLCompiler


class IdArray:
    """Ids as the text of one PostgreSQL array, written once for any number of statements.

    It is deliberately not iterable: of an iterable Django examines each element, again for each statement.
    """

    __slots__ = ("text",)

    def __init__(self, ids: Iterable[UUID | int]) -> None:
        # Without hyphens: a third of the time that str() takes, and PostgreSQL reads both.
        self.text = "{" + ",".join([id.hex if isinstance(id, UUID) else str(id) for id in ids]) + "}"


@ForeignKey.register_lookup  # relations do not inherit the lookups of fields
@Field.register_lookup
class AnyOf(Lookup):
    """Is true for rows whose id is among those given, as ids or as an `IdArray`."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        """Return `column = ANY(…)` and its parameters. Raises: EmptyResultSet when no ids are given."""
        column, parameters = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        kind = getattr(field, "target_field", field).rel_db_type(connection)
        if kind not in ("uuid", "bigint", "integer"):
            raise TypeError(f"`any` takes ids, and {field.name} is of type {kind}")
        array = self.rhs if isinstance(self.rhs, IdArray) else IdArray(self.rhs)
        if array.text == "{}":
            raise EmptyResultSet  # as for an empty `pk__in`, Django then sends no statement
        return f"{column} = ANY(%s::{kind}[])", (*parameters, array.text)
