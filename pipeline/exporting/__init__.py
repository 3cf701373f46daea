"""Trained models in formats that other programs read, each checked against the predictor."""
