"""Intervals that several parts must agree on."""

HEAL_SECONDS = 3.0  #: between two rounds of healing
