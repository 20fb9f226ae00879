"""Vector stores: one interface (`base`), two adapters (`edge`: in this process; `qdrant`: a server)."""
