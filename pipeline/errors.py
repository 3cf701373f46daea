"""The errors that users meet, one class for each kind of remedy."""

from __future__ import annotations


class MaskmillError(Exception):
    """Base of every error that is the user's to fix; its text is the whole message."""

    exit_code = 1


class ConfigError(MaskmillError):
    """The experiment file, or an override of it, is wrong: edit it."""

    exit_code = 2


class DataError(MaskmillError):
    """The data does not fit the experiment: fix one of them."""


class ArtefactError(MaskmillError):
    """Something Maskmill wrote is missing, stale, damaged or in use: run the named stage again."""


class ResourceError(MaskmillError):
    """The machine has too little disk, memory or devices for what was asked."""


class TrainingError(MaskmillError):
    """A member's training went wrong (NaN, divergence): change its settings."""


class InterruptedRunError(MaskmillError):
    """SIGINT or SIGTERM arrived; state is saved and the next `make` continues from there.

    failures: other errors of this run.
    """

    def __init__(self, signal_number: int, failures: tuple[str, ...] = ()) -> None:
        text = "interrupted; state is saved, the same command continues from there"
        super().__init__("\n".join([text, *(f"also failed: {each}" for each in failures)]))
        self.signal_number, self.failures = signal_number, failures
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type[InterruptedRunError], tuple[int, tuple[str, ...]]]:
        return type(self), (self.signal_number, self.failures)
