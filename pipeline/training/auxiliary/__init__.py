"""What a training needs for auxiliary outputs: targets, values of columns, sums of losses."""

PREFIX = "aux_"
"""Begins the columns of auxiliary losses in history.csv."""
