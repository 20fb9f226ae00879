"""Actions with a confirmation page: exact numbers, a frozen set of rows, a typed reason.

An action is one entry in a table (`ConfirmedAction`); the mixin draws its buttons, asks, and then calls the
service once per id. Only ids are sent: selected by a sub-select, signed for the user who was shown the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from jobs.errors import QuarryError
from jobs.staff.tables import QuarryAdmin

MAX_SELECTED = 1000  # ids frozen in one page: some 25 kB of form
MAX_REASON_CHARACTERS = 500
FROZEN_SECONDS = 3600
SHOWN_REFUSALS = 20
SALT = "quarry.confirmed-action"


@dataclass(frozen=True, slots=True)
class ConfirmedAction:
    """One thing that can be done to rows.

    service: called once per id with `id_argument`, `actor`, `reason` and `options`; returns a receipt or raises
    a QuarryError. summary: receipts → one sentence with exact numbers. fits: whether a row's page offers it.
    ticked: names of groups of choices that narrow the action; the service gets the ticked values by name.
    """

    name: str
    label: str
    permissions: tuple[str, ...]
    service: Callable[..., Any]
    effect: str
    summary: Callable[[Sequence[Any]], str]
    id_argument: str
    options: Mapping[str, Any] = field(default_factory=dict)
    fits: Callable[[Any], bool] = lambda row: True
    is_destructive: bool = False
    ticked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceGroup:
    """Choices that narrow an action; with none ticked, all are meant. options: value, and how many rows."""

    name: str
    legend: str
    options: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class PreviewTable:
    """What the confirmation shows: a heading per number, a line per row, and the sums."""

    headings: list[str]
    lines: list[tuple[str, str, list[int | str]]]  # name, badge or nothing, numbers
    totals: list[int | str]
    notes: list[str] = field(default_factory=list)


class ConfirmedActionsAdmin(QuarryAdmin):
    """A page whose rows can be acted on."""

    confirmed_actions: tuple[ConfirmedAction, ...] = ()
    max_selected = MAX_SELECTED

    def preview(self, action: ConfirmedAction, ids: Sequence[Any]) -> PreviewTable:
        """Return what `action` would touch, in exact numbers."""
        raise NotImplementedError

    def choices(self, action: ConfirmedAction, ids: Sequence[Any]) -> list[ChoiceGroup]:
        """Return the groups that `action.ticked` names, with the number of rows for each choice."""
        return []

    def acted(self, request: HttpRequest, action: ConfirmedAction, ids: Sequence[Any], reason: str) -> None:
        """Record what was done where the service itself keeps no history."""

    def permitted_actions(self, request: HttpRequest) -> list[ConfirmedAction]:
        """Return the actions that this user may use."""
        return [action for action in self.confirmed_actions if request.user.has_perms(action.permissions)]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions for the list of rows: all lead to the confirmation page."""
        return {action.name: (_chosen, action.name, action.label) for action in self.permitted_actions(request)}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Return the page of one row, with the actions that fit it."""
        if obj is not None:
            fitting = [action for action in self.permitted_actions(request) if action.fits(obj)]
            context |= {"row_actions": fitting, "act_url": self._act_url()}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs, including that of the actions."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("act/", self.admin_site.admin_view(self.act_view), name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation of an action, or do it once confirmed. POST only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action = self._action(request, request.POST.get("do", ""))
        if "frozen" in request.POST:
            return self._confirmed(request, action)
        keys = request.POST.getlist("id")[: self.max_selected + 1]
        return self.ask(request, action.name, self.get_queryset(request).filter(pk__any=self._parsed(keys)))

    def ask(self, request: HttpRequest, name: str, rows: QuerySet[Any]) -> HttpResponse:
        """Freeze the ids of these rows and return the page that asks."""
        action = self._action(request, name)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: self.max_selected + 1])
        if len(ids) > self.max_selected:
            self.message_user(
                request,
                f"At most {self.max_selected:,} {self.opts.verbose_name_plural} can be confirmed at once;"
                " narrow the list with a filter or a search, and repeat for the rest. Nothing was changed.",
                messages.WARNING,
            )
            return HttpResponseRedirect(self._list_url())
        if not ids:
            self.message_user(
                request, "None of the selected rows exists any more. Nothing was changed.", messages.WARNING
            )
            return HttpResponseRedirect(self._list_url())
        return self._asked(request, action, ids)

    def _asked(self, request: HttpRequest, action: ConfirmedAction, ids: list[Any], error: str = "") -> HttpResponse:
        facts = {"do": action.name, "by": request.user.pk, "of": self.opts.label_lower, "ids": [str(pk) for pk in ids]}
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action.label}?",
            "opts": self.opts,
            "action": action,
            "act_url": self._act_url(),
            "back_url": self._back_url(ids),
            "number": len(ids),
            "preview": self.preview(action, ids),
            "choices": [(group, request.POST.getlist(group.name)) for group in self.choices(action, ids)],
            "frozen": signing.dumps(facts, salt=SALT, compress=True),
            "error": error,
            "reason": request.POST.get("reason", ""),
            "max_reason": MAX_REASON_CHARACTERS,
        }
        return TemplateResponse(request, "quarry/confirm.html", context, status=422 if error else 200)

    def _confirmed(self, request: HttpRequest, action: ConfirmedAction) -> HttpResponse:
        try:
            facts = signing.loads(request.POST["frozen"], salt=SALT, max_age=FROZEN_SECONDS)
        except signing.BadSignature:
            facts = {}
        expected = {"do": action.name, "by": request.user.pk, "of": self.opts.label_lower}
        if {name: facts.get(name) for name in expected} != expected:
            text = "This confirmation has expired or belongs to another user; choose again. Nothing was changed."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(self._list_url())
        ids, reason = self._parsed(facts["ids"]), request.POST.get("reason", "").strip()
        if not reason or len(reason) > MAX_REASON_CHARACTERS:
            error = f"Enter a reason of at most {MAX_REASON_CHARACTERS} characters; it is kept in the history."
            return self._asked(request, action, ids, error)
        self._run(request, action, ids, reason)
        return HttpResponseRedirect(self._back_url(ids))

    def _run(self, request: HttpRequest, action: ConfirmedAction, ids: list[Any], reason: str) -> None:
        receipts, refused, acted_on = [], [], []
        fixed = {"actor": request.user.get_username(), "reason": reason, **action.options}
        fixed |= {name: request.POST.getlist(name) for name in action.ticked}
        for pk in ids:
            try:
                receipts.append(action.service(**{action.id_argument: pk}, **fixed))
                acted_on.append(pk)
            except QuarryError as error:
                refused.append((pk, error.detail))
        self.acted(request, action, acted_on, reason)
        if receipts:
            self.message_user(request, f"{action.label}: {action.summary(receipts)}", messages.SUCCESS)
        self._show_refusals(request, action, refused, len(ids))

    def _show_refusals(
        self, request: HttpRequest, action: ConfirmedAction, refused: list[tuple[Any, str]], asked: int
    ) -> None:
        if refused and asked > 1:
            self.message_user(request, f"{action.label}: refused for {len(refused):,} of {asked:,}.", messages.WARNING)
        names = dict(self._names([pk for pk, _ in refused[:SHOWN_REFUSALS]]))
        for pk, detail in refused[:SHOWN_REFUSALS]:
            text = format_html("“{}”: {}", names.get(str(pk), str(pk)), detail)
            self.message_user(request, text, messages.WARNING)
        if len(refused) > SHOWN_REFUSALS:
            self.message_user(request, f"… and {len(refused) - SHOWN_REFUSALS:,} more refusals.", messages.WARNING)

    def _names(self, ids: Sequence[Any]) -> list[tuple[str, str]]:
        return [(str(pk), f"{self.opts.verbose_name} {pk}") for pk in ids]

    def _action(self, request: HttpRequest, name: str) -> ConfirmedAction:
        found = next((action for action in self.confirmed_actions if action.name == name), None)
        if found is None:
            raise Http404("There is no such action.")
        if not request.user.has_perms(found.permissions):
            raise PermissionDenied
        return found

    def _parsed(self, keys: Sequence[str]) -> list[Any]:
        try:
            return [self.opts.pk.to_python(key) for key in keys]
        except ValidationError as error:
            raise Http404("There is no such row.") from error

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _act_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act")

    def _back_url(self, ids: Sequence[Any]) -> str:
        """Return where to go afterwards: one row's own page while it exists, else the list."""
        if len(ids) == 1 and self.model._default_manager.filter(pk=ids[0]).exists():
            return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[ids[0]])
        return self._list_url()


def _chosen(model_admin: ConfirmedActionsAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
    """Lead from the list to the confirmation of the action whose button was pressed."""
    index = request.POST.get("index", "0")
    names = request.POST.getlist("action")
    name = names[int(index)] if index.isdigit() and int(index) < len(names) else ""
    assert ACTION_CHECKBOX_NAME in request.POST  # Django refuses an empty selection before this
    return model_admin.ask(request, name, rows)
