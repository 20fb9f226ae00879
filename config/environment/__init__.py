"""Where the settings come from: environment variables and files, read once, each value checked.

In: the environment and `.env`. Out: one typed `Environment`, or a refusal to start that says what to change.
Open `env` first:

    env           the list of variables, and reading them
    env_checks    one check per kind of value
    secret_key    the key kept in QUARRY_HOME when SECRET_KEY is empty
"""
