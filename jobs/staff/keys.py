"""API keys in the admin: created here, shown once, revoked instead of deleted."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from jobs.api.keys import RevokeReceipt, key_create, key_revoke
from jobs.models import ApiKey
from jobs.staff import cells
from jobs.staff.confirmed_actions import ConfirmedAction, ConfirmedActionsAdmin, PreviewTable


def _revoked(receipts: Sequence[RevokeReceipt]) -> str:
    changed = sum(receipt.changed for receipt in receipts)
    return f"{changed:,} revoked, {len(receipts) - changed:,} already revoked."


REVOKE = ConfirmedAction(
    name="revoke",
    label="Revoke",
    permissions=("jobs.change_apikey",),
    service=key_revoke,
    effect="Programs that use these keys are refused from now on. A revoked key cannot be restored.",
    summary=_revoked,
    id_argument="key_id",
    fits=lambda key: key.is_active,
    is_destructive=True,
)


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The user and the name of a new key."""

    class Meta:
        model = ApiKey
        fields = ("user", "name")


@admin.register(ApiKey)
class ApiKeyAdmin(ConfirmedActionsAdmin):
    """Keys with which programs act as users."""

    confirmed_actions = (REVOKE,)
    form = ApiKeyForm
    list_display = ("name", "prefix", "user", "state", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    ordering = ("-created_at",)
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Return False for an existing key: it can only be revoked."""
        return obj is None and super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return the fields of the form for a new key, or those shown for an existing one."""
        shown = ("user", "name", "prefix", "state", "created_at", "last_used_at", "revoked_at")
        return ("user", "name") if obj is None else shown

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return all fields for an existing key, none for a new one."""
        return () if obj is None else tuple(self.get_fields(request, obj))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer active users; those who may not change users can choose only themselves."""
        users = get_user_model().objects.filter(is_active=True).order_by("username")
        may_choose = request.user.has_perm("auth.change_user")
        kwargs["queryset"] = users if may_choose else users.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Create the key and show it, this one time."""
        key = key_create(username=obj.user.get_username(), name=obj.name)
        made = ApiKey.objects.filter(user=obj.user, name=obj.name).latest("pk")
        obj.pk, obj.prefix = made.pk, made.prefix
        messages.success(request, f"The key is {key} (copy it now: it is not shown again).")

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Return to the list, where the message shows the key."""
        return HttpResponseRedirect(reverse("admin:jobs_apikey_changelist"))

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        """Return whether the key is active or revoked, as a badge."""
        return cells.badge("active" if key.is_active else "revoked")

    def preview(self, action: ConfirmedAction, ids: Sequence[int]) -> PreviewTable:
        """Return the keys and whether each is active."""
        rows = ApiKey.objects.filter(pk__any=ids).order_by("name").select_related("user")
        lines: list[tuple[str, str, list[int | str]]] = [
            (f"{key.name} ({key.prefix}…)", "active" if key.is_active else "revoked", [key.user.get_username()])
            for key in rows
        ]
        return PreviewTable(["user"], lines, [""])

    def acted(self, request: HttpRequest, action: ConfirmedAction, ids: Sequence[int], reason: str) -> None:
        """Record the revocation in the admin's log, a key's only history."""
        if ids:
            rows = ApiKey.objects.filter(pk__any=ids)
            LogEntry.objects.log_actions(request.user.pk or 0, rows, CHANGE, f"Revoked: {reason}")
