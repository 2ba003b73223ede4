"""Measurements, each a program: ``python -m benchmarks.NAME [--quick] [--data-dir DIR]``."""
