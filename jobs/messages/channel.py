"""What the processes of one installation agree on, to notify each other when no message broker is installed."""

CHANNEL = "quarry_messages"  #: the PostgreSQL notification channel that carries encoded messages
HEAL_SECONDS = 3.0  #: between two rounds of healing
