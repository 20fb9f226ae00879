"""Extractors: each turns one kind of evidence on a page into typed values; the cascade orders them."""
