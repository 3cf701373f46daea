"""Prediction of new images by a finished run: the chosen blend is applied unchanged."""
