"""Weights from queries and keys: computed for the part that is read, never held as a matrix."""

from .source import QKSource

__all__ = ["QKSource"]
