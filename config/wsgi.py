"""The WSGI application, for waitress in the embedded profile and granian in the distributed one.

Static files come from the apps' own folders, with no collecting step. Django's handler for that serves them
whatever DEBUG says, but outside the middleware, so the security headers are set here again.
"""

import os
from http import HTTPStatus

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.exceptions import SuspiciousFileOperation
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase

from config.web.security import set_security_headers

_CACHE_SECONDS = 3600


class StaticFiles(StaticFilesHandler):
    """Serves files below STATIC_URL and passes everything else on to the application."""

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        """Return the file.

        Raises: Http404 if no app has it, also for a path that leads out of the apps' folders.
        """
        try:
            return super().serve(request)
        except SuspiciousFileOperation as error:
            raise Http404("no such file") from error

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return the file, cacheable for an hour, or the page that says there is none."""
        response: HttpResponseBase = super().get_response(request)
        if response.status_code == HTTPStatus.OK:
            response.headers["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}"
        response.headers["X-Content-Type-Options"] = "nosniff"
        set_security_headers(response)
        return response


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = StaticFiles(get_wsgi_application())
