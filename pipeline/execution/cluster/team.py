"""The slots of a cluster: which worker may run how many jobs, and on which device each."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.execution.cluster.facts import Facts


@dataclass(frozen=True)
class Slot:
    """Room for one job at a time."""

    worker: str
    """The worker's address."""
    host: str
    gpu: str
    """The number or UUID of its GPU; "": none."""
    lease: str
    """The name of the lock that its jobs hold, as `Machine.locks` names it on that host."""


@dataclass
class Team:
    """The workers that have been looked at. A GPU that two workers see is one slot."""

    on_cpu: bool = False
    """True if GPUs are not to be used."""
    limit: int | None = None
    """The most slots."""
    own_cores: bool = False
    """True if each worker's cores are its own; else those of a host are shared by its workers."""
    known: dict[str, Facts] = field(default_factory=dict)
    _slots: dict[str, list[Slot]] = field(default_factory=dict)

    def add(self, worker: str, threads: int, facts: Facts) -> list[Slot]:
        """Take a worker in; its slots, which may be none."""
        self.known[worker] = facts
        devices = self._devices(facts, threads)
        room = len(devices) if self.limit is None else self.limit - len(self.slots)
        leases = [f"cuda{gpu}-0.lock" if gpu else "" for gpu in devices[: max(0, room)]]
        slots = [
            Slot(worker, facts.host, gpu, lease or self._cpu_lease(facts.host, number))
            for number, (gpu, lease) in enumerate(zip(devices, leases, strict=False))
        ]
        self._slots[worker] = slots
        return slots

    def remove(self, worker: str) -> None:
        """Forget a worker that is gone."""
        self.known.pop(worker, None)
        self._slots.pop(worker, None)

    @property
    def slots(self) -> list[Slot]:
        return [slot for slots in self._slots.values() for slot in slots]

    @property
    def hosts(self) -> set[str]:
        """Those that have a slot."""
        return {slot.host for slot in self.slots}

    @property
    def cores_each(self) -> int:
        """CPU cores that every slot has."""
        counts = []
        for slot in self.slots:
            facts = self.known[slot.worker]
            sharing = [
                each
                for each in self.slots
                if each.host == slot.host and (not self.own_cores or each.worker == slot.worker)
            ]
            counts.append(max(1, facts.cores // len(sharing)))
        return min(counts, default=1)

    def _devices(self, facts: Facts, threads: int) -> list[str]:
        """The GPU, or none, of each of the worker's slots."""
        if self.on_cpu or not facts.gpus:
            return [""] * threads
        taken = {slot.gpu for slot in self.slots if slot.host == facts.host}
        return [gpu for gpu in facts.gpus if gpu not in taken][:threads]

    def _cpu_lease(self, host: str, number: int) -> str:
        taken = {slot.lease for slot in self.slots if slot.host == host}
        free = (f"cpu-{each}.lock" for each in range(len(taken) + number + 1))
        return [lease for lease in free if lease not in taken][number]
