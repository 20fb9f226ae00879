"""What our admin pages share: nothing is deleted by Django, big tables are counted by estimate and paged by key."""

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from jobs.models import Project

if TYPE_CHECKING:
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

EXACT_COUNT_ROWS = 10_000  # up to this many rows are counted; beyond it the planner's estimate is shown
ROWS_PER_PAGE = 50
AFTER_VAR = "after"
BEFORE_VAR = "before"


class ProjectFilter(RelatedFieldListFilter):
    """Rows of one project. Only ids and names are read: Django's own filter loads every project whole."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        """Return all projects by name."""
        return list(Project.objects.order_by("name").values_list("pk", "name"))


class QuarryAdmin(ModelAdmin):
    """A page of our site. Django's deletion loads the whole object graph, so it is disabled; services delete."""

    list_per_page = ROWS_PER_PAGE
    show_facets = ShowFacets.NEVER
    actions_selection_counter = True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: what may be removed has an action of its own."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the list, with the plural name of its rows as the title."""
        title = str(self.opts.verbose_name_plural)
        context = {"title": title[:1].upper() + title[1:]} | (extra_context or {})
        return super().changelist_view(request, context)


class ReadOnlyAdmin(QuarryAdmin):
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


def rows_estimated(table: str) -> int:
    """Return how many rows the planner believes the table has: 0 if it was never analysed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GREATEST(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def rows_expected(rows: QuerySet[Any]) -> int:
    """Return how many rows the planner expects the query to find; the query itself is not run."""
    plan = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts a small table exactly; for a big one it asks the planner instead."""

    @cached_property
    def is_estimate(self) -> bool:
        """True if `count` is not exact."""
        rows: Any = self.object_list
        return rows_estimated(rows.model._meta.db_table) > EXACT_COUNT_ROWS

    @cached_property
    def count(self) -> int:
        """The number of rows: exact up to EXACT_COUNT_ROWS, else as `is_estimate` says."""
        rows: Any = self.object_list
        if self.is_estimate:
            return rows_expected(rows)
        # A table loaded a moment ago may not have been analysed yet: the limit holds all the same.
        return int(rows.order_by().values("pk")[: EXACT_COUNT_ROWS + 1].count())


class KeysetChangeList(ChangeList):
    """A list without page numbers: each page begins after the last row of the one before, found by the index."""

    older: str | None
    newer: str | None

    def get_filters_params(self, params: Any = None) -> Any:
        """Return the filters without the two keys of the paging."""
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (AFTER_VAR, BEFORE_VAR)}

    def get_results(self, request: HttpRequest) -> None:
        """Select one page of rows by key, and find out whether there are pages before and after it."""
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_count = self.paginator.count
        self.is_estimate = self.paginator.is_estimate
        self.shown_count = f"{self.result_count:,}"
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self._page_select()

    def _page_select(self) -> None:
        field, is_descending = self._key()
        after, before = self.params.get(AFTER_VAR), self.params.get(BEFORE_VAR)
        rows = self.queryset.order_by(f"-{field}" if is_descending != bool(before) else field)
        if edge := before or after:
            is_below = is_descending != bool(before)
            rows = self._beyond(rows, f"{field}__{'lt' if is_below else 'gt'}", edge)
        found = list(rows[: self.list_per_page + 1])
        has_more = len(found) > self.list_per_page
        shown = found[: self.list_per_page]
        if before:
            shown.reverse()
        self.result_list = shown  # templates only iterate over it
        first, last = (getattr(shown[0], field), getattr(shown[-1], field)) if shown else (None, None)
        self.newer = self._link({BEFORE_VAR: first}) if shown and (after or (before and has_more)) else None
        self.older = self._link({AFTER_VAR: last}) if shown and (before or has_more) else None

    def _key(self) -> tuple[str, bool]:
        admin_of_rows: Any = self.model_admin
        key: str = admin_of_rows.keyset_key(self.filter_params)
        return key.removeprefix("-"), key.startswith("-")

    def _beyond(self, rows: QuerySet[Any], lookup: str, edge: str) -> QuerySet[Any]:
        try:
            return rows.filter(**{lookup: edge})
        except (ValueError, TypeError):
            return rows.none()  # a hand-typed key that is not valid

    def _link(self, key: dict[str, Any]) -> str:
        return self.get_query_string(key, remove=[AFTER_VAR, BEFORE_VAR])


class BigTableAdmin(ReadOnlyAdmin):
    """A table that may have millions of rows: no sorting by columns, no counting beyond the estimate."""

    show_full_result_count = False
    paginator = EstimatedPaginator
    sortable_by = ()
    deferred: tuple[str, ...] = ()  #: bulky columns that no list loads
    change_list_template = "admin/keyset_change_list.html"

    def keyset_key(self, filters: dict[str, Any]) -> str:
        """Return the unique column that orders a list with these filters, with `-` for descending."""
        return "-pk"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order of the paging."""
        return ("-pk",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that pages by key."""
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows, without their bulky columns when many are listed."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and str(match.url_name).endswith("_changelist")
        return rows.defer(*self.deferred) if is_list else rows
