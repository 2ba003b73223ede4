"""One of each that a package can add to lamsearch: trainer, source, metric, sampler and verb.

Each is a module of its own, and an entry point in pyproject.toml names what it registers.
"""
