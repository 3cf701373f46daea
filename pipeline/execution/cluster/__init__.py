"""Runs jobs on several machines through Dask.distributed, which is imported for CLUSTER= alone."""
