"""How processes of one installation tell each other of work, when no message broker is installed."""

CHANNEL = "quarry_messages"  #: the PostgreSQL notification channel that carries encoded messages
