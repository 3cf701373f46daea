"""Downloads and uploads by Kaggle's own client, which is an extra."""
