"""Bundles for code competitions: a finished run that predicts where there is no network."""
