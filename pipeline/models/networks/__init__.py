"""Whole networks: those that are not an encoder and a decoder."""
