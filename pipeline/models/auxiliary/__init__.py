"""Auxiliary outputs of a network: heads beside the one for masks, and their losses."""
