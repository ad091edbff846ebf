"""Attention of real models: from what they return, from caches, with labels of their tokenizers."""
