"""Response headers that keep hostile page text harmless in the browsers of privileged people."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

#: No inline script or style, no frames, no foreign origin. Django 5.2 has no setting for it (6.0 has).
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "object-src 'none'",
    )
)


def set_security_headers(response: HttpResponseBase) -> None:
    """Add the content security policy to `response`, unless a view chose a stricter one itself."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)


class ContentSecurityPolicyMiddleware:
    """Adds the content security policy to every response that passes through Django's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        set_security_headers(response)
        return response
