"""The apps that compose the others: the project-wide commands and templates, and the admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class CompositionConfig(AppConfig):
    """Registers `config`, so that its management commands are found."""

    name = "config"
    verbose_name = "Quarry"


class QuarryAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site as the default one."""

    default = False  # of this module; it is named in INSTALLED_APPS
    default_site = "config.site.admin_site.QuarryAdminSite"
