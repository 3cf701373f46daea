"""Whole networks of the literature, which have no encoder to choose."""
