"""A finished run, used on other images: what was chosen is applied, and nothing is chosen."""
