"""The URL map."""

from django.contrib import admin
from django.urls import path, re_path
from django.views.generic import RedirectView

from config.api import api_urls, no_such_path
from config.health import health, readyz
from config.metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("health", health),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/v1/", api_urls()),
    re_path(r"^api(?:/|$)", no_such_path),
]

handler400 = "config.api.bad_request"
