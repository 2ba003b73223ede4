"""Registers what is no trainer, and a trainer under another's name."""

from lamsearch_softmax import SOFTMAX

TEXT = "no trainer"
__all__ = ["SOFTMAX", "TEXT"]
