"""Accounts in the admin, and what other applications registered that must not be shown."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django_dramatiq.models import Task

admin.site.unregister(Task)  # it prints the arguments of messages unescaped
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]  # not generic at run time
    """People and programs. An account is deactivated, never deleted: jobs and history name it."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: Django's deletion would load every job of the account."""
        return False
