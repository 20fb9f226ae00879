"""Django's settings. What comes from outside is checked in `config.environment.env`; code reads `settings.QUARRY`."""

from typing import Final

from config.environment.env import CHECKOUT, database_settings, load_environment
from config.environment.secret_key import stored_secret_key
from config.logging import logging_settings

QUARRY: Final = load_environment()

DEBUG = False
SECRET_KEY = QUARRY.secret_key or stored_secret_key(QUARRY.home)
ALLOWED_HOSTS = list(QUARRY.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(QUARRY.csrf_trusted_origins)

INSTALLED_APPS = [
    "config.apps.QuarryAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_dramatiq",
    "config",
    "jobs",
    "crawling",
    "extraction",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.web.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [CHECKOUT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Web and worker threads live long, so connections are kept for some minutes; the health check before each
# request or message replaces one whose server was restarted meanwhile.
_CONNECTIONS: Final = {"ENGINE": "config.database", "CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
_SERVER: Final = (
    {"NAME": "quarry", "USER": "quarry", "EMBEDDED_HOME": QUARRY.home}
    if QUARRY.is_embedded
    else database_settings(QUARRY.database_url)
)
DATABASES = {"default": {**_CONNECTIONS, **_SERVER}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = QUARRY.time_zone
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
# Plain HTTP is for this machine only; who names https origins has TLS in front, and cookies stay on it.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(CSRF_TRUSTED_ORIGINS) and all(
    origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS
)

LOGGING = logging_settings(QUARRY.log_level)

# `django_dramatiq` builds the broker while Django starts; its defaults name a class that Dramatiq 2 moved.
# AdminMiddleware is left out on purpose: it costs 14 SQL statements per message. Retries stays, though no actor
# retries: without it failures would be marked done.
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.rabbitmq.RabbitmqBroker"
    if QUARRY.broker_url
    else "config.messages.broker.InProcessBroker",
    "OPTIONS": {"url": QUARRY.broker_url, "confirm_delivery": True} if QUARRY.broker_url else {},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        # The embedded profile's workers have a clock of their own, in `jobs.worker.host`.
        *(["config.messages.healing_clock.HealingClock"] if QUARRY.broker_url else []),
    ],
}
DRAMATIQ_AUTODISCOVER_MODULES = ["actors"]  # for `rundramatiq`, the workers of the distributed profile
