"""The URL map."""

from django.contrib import admin
from django.urls import path, re_path
from django.views.generic import RedirectView

from config.operate.health import health, readyz
from config.operate.metrics import metrics
from config.web.api import api_urls, no_such_path

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("health", health),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/v1/", api_urls()),
    re_path(r"^api(?:/|$)", no_such_path),
]

handler400 = "config.web.api.bad_request"
