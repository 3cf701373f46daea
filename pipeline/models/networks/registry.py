"""The whole networks by name; one is added by one file and one line of `NETWORKS`."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.models.networks.network import Network

NETWORKS: Mapping[str, Network] = {}
