"""Looks at a folder of data and proposes an experiment for it."""
