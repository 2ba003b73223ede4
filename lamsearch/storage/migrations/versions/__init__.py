"""A module per schema version: what leads to it from the one before."""
