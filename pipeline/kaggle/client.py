"""Calls Kaggle's client in a process of its own, since importing it logs in or exits.

Credentials are the client's business: its environment variables, files or login. Nothing of them is
read here.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from importlib.util import find_spec

from pipeline.errors import ConfigError, ResourceError

WAITS_S = (5.0, 20.0, 60.0)
"""Before each further attempt when there were too many requests."""
_START = "from kaggle.cli import main; main()"
_LACKING = "this needs Kaggle's client: pip install 'maskmill[kaggle]' (or: pip install kaggle six)"


def call_kaggle(*arguments: str, competition: str) -> str:
    """What the client prints; its progress goes to the terminal.

    Raises ConfigError for missing credentials, rules that are not accepted and names that are not
    there, ResourceError for everything else that the client says.
    """
    if find_spec("kaggle") is None:
        raise ResourceError(_LACKING)
    for wait in (*WAITS_S, None):
        done = subprocess.run(
            [sys.executable, "-c", _START, *arguments], capture_output=True, text=True
        )
        said = f"{done.stdout}\n{done.stderr}".strip()
        if done.returncode == 0:
            return done.stdout
        if wait is None or not _is(said, "429", "too many requests"):
            break
        time.sleep(wait)
    raise _error(said, competition)


def submissions(competition: str) -> list[dict[str, str]]:
    """The newest submissions first, by the client's columns: fileName, description, status, …."""
    text = call_kaggle("competitions", "submissions", competition, "--csv", competition=competition)
    start = text.find("fileName")
    lines = text[text.rfind("\n", 0, start) + 1 :] if start >= 0 else ""
    return list(csv.DictReader(io.StringIO(lines)))


def _error(said: str, competition: str) -> ConfigError | ResourceError:
    last = said.splitlines()[-1] if said else "it said nothing"
    if _is(said, "authentication required", "401", "unauthorized"):
        return ConfigError(
            "Kaggle does not know you: run kaggle auth login, or set KAGGLE_API_TOKEN "
            f"(account settings → API) ({said.splitlines()[0]})"
        )
    if _is(said, "403", "forbidden"):
        return ConfigError(
            f"COMPETITION={competition}: Kaggle refuses ({last}); open the competition's page, "
            "join it and accept its rules, then run the same command again"
        )
    if _is(said, "404", "not found", "could not find"):
        return ConfigError(
            f"COMPETITION={competition}: Kaggle has none of that name, or it is closed ({last}); "
            "give the name in its address"
        )
    if _is(said, "429", "too many requests"):
        return ResourceError(f"Kaggle refuses more requests for now ({last}); try again later")
    if _is(said, "failed to resolve", "connection refused", "max retries exceeded"):
        return ResourceError("Kaggle cannot be reached from here; check the network and try again")
    if "No module named" in said:
        return ResourceError(f"{_LACKING} ({last})")
    return ResourceError(f"Kaggle's client failed: {last}; run the same command again")


def _is(said: str, *texts: str) -> bool:
    return any(each in said.lower() for each in texts)
