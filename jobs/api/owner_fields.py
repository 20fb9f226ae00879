"""REST fields that the owners of artifacts name and describe; added to replies when these are defined."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady
from pydantic import Field, create_model

from jobs.api.schemas import Reply
from jobs.registry import owners
from jobs.registry.owners import ReplyField

Shape = TypeVar("Shape", bound=Reply)


def with_numbers(fields: Callable[[], Iterable[ReplyField]]) -> Callable[[type[Shape]], type[Shape]]:
    """Return a class decorator that adds an integer field for each of these.

    Raises: AppRegistryNotReady while owners may still register: the reply would lack their fields for good.
    """

    def add(shape: type[Shape]) -> type[Shape]:
        if not apps.ready:
            raise AppRegistryNotReady(f"{shape.__name__} is defined before all owners of artifacts have registered.")
        numbers: dict[str, Any] = {field.name: (int, Field(description=field.description)) for field in fields()}
        return create_model(shape.__name__, __base__=shape, __doc__=shape.__doc__, **numbers)

    return add


def deleted_fields() -> dict[str, ReplyField]:
    """Return for each kind of artifact the field that counts the deleted ones, where there is one."""
    return {kind: field for owner in owners.in_delete_order() for kind, field in owner.deleted_fields.items()}


def held_fields() -> dict[str, ReplyField]:
    """Return for each owner, by name, the field that counts what a cleanup would go through, where there is one."""
    return {owner.name: owner.held_field for owner in owners.in_delete_order() if owner.held_field is not None}
