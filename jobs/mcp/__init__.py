"""Quarry for AI agents: a Model Context Protocol server that speaks to the REST API and to nothing else."""
