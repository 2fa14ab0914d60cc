"""Every error Treadle raises on purpose.

::

    TreadleError                    what happened, to what, and what to do next
    ├─ UsageError                   the caller can mend it: exit status 2
    │  ├─ SettingsInvalid           a setting, or treadle.toml
    │  ├─ UnknownName               no package, task, dataset, workflow or run of that name
    │  ├─ AlreadyExists             the name is taken
    │  ├─ InUse                     a workflow or a run still needs what is to go
    │  ├─ WorkflowInvalid           its JSON, its graph, or a task it names
    │  ├─ ArgumentsInvalid          a step's arguments against its task's schema
    │  ├─ DatasetInvalid            its JSON, its folder, or an item in it
    │  └─ NothingSelected           a step's filters leave no item
    ├─ CollectError                 getting a package's environment and tasks
    │  ├─ SourceInvalid             not an index requirement, a folder or a wheel
    │  ├─ ResolutionFailed          the resolver found no set of versions: its words are kept
    │  ├─ BuildFailed               a wheel or an environment could not be built
    │  ├─ InterpreterMissing        no such Python on this machine
    │  └─ ManifestInvalid           missing, malformed, of an unknown version, or against its own rules
    ├─ ClusterError                 the workers, or the way to them
    │  ├─ WorkersUnavailable        no worker came up
    │  ├─ SubmissionRefused         the batch system did not take a job; may be tried again if `transient`
    │  └─ ControllerAway            the batch system does not answer, or with nonsense; it is asked again
    │     └─ HostUnreachable        no way to the machine that speaks with the batch system
    ├─ UnitError                    the end of one unit; its siblings go on
    │  ├─ CommandInvalid            the command cannot be run at all
    │  ├─ OutputInvalid             what the unit returned is not what a unit returns
    │  └─ WorkerLost                the worker died under it: not the unit's fault
    ├─ MergeFailed                  outputs of good units that contradict one another or the dataset
    ├─ LedgerError                  the durable record could not be read or written
    │  ├─ LedgerBusy                another process held it for too long
    │  ├─ SchemaTooNew              written by a newer Treadle
    │  ├─ AlreadyDriven             another process drives the run
    │  └─ LeaseLost                 another process has taken the run over
    ├─ CacheError                   the call cache; a cached call that can be computed never raises it
    │  ├─ Indigestible              a value that has no key: an iterator, a generator, an open file, a cycle
    │  ├─ NotCached                 no record or value under that key; a KeyError too
    │  ├─ AmbiguousKey              the beginning of several keys
    │  ├─ Unstorable                a value that the storage cannot keep
    │  ├─ CacheRefused              a layer that takes no records, or a lease that was lost meanwhile
    │  └─ CacheUnavailable          the storage cannot be read or written now
    ├─ StorageFull                  no space left, or a folder that may not be written
    ├─ ServerError                  Prefect's server did not start or does not answer
    ├─ RunStranded                  a run is not at its end, and nobody drives it
    ├─ RunFailed                    a run ended with a failed step: raised to the caller of the run
    └─ Cancelled                    asked for, not a failure
"""

from __future__ import annotations


class TreadleError(Exception):
    """Base of all errors of Treadle.

    Args:
        what: One or more sentences: what happened, and to what.
        remedy: What to do next, in one sentence; empty where nothing can be advised.
        detail: Text of another program that explains the failure, shown as it came.
    """

    exit_code = 1

    def __init__(self, what: str, *, remedy: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state, so that an error survives its way back from a worker."""
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(kind: type[TreadleError], args: tuple[object, ...], state: dict[str, object]) -> TreadleError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(TreadleError):
    """The caller can mend it."""

    exit_code = 2


class SettingsInvalid(UsageError):
    """A setting has a value it cannot have."""


class UnknownName(UsageError):
    """Nothing has that name."""


class AlreadyExists(UsageError):
    """The name is taken."""


class InUse(UsageError):
    """Something still needs what is to go."""


class WorkflowInvalid(UsageError):
    """A workflow that cannot be read, ordered or resolved."""


class ArgumentsInvalid(UsageError):
    """A step's arguments break its task's schema."""


class DatasetInvalid(UsageError):
    """A dataset that cannot be read, or an item outside its folder."""


class NothingSelected(UsageError):
    """A step's filters leave no item to work on."""


class CollectError(TreadleError):
    """A package's environment or tasks could not be had."""


class SourceInvalid(CollectError):
    """The text names no package."""

    exit_code = 2


class ResolutionFailed(CollectError):
    """The resolver found no set of versions."""


class BuildFailed(CollectError):
    """A wheel or an environment could not be built."""


class InterpreterMissing(CollectError):
    """No such Python on this machine."""


class ManifestInvalid(CollectError):
    """A manifest that is missing, malformed or breaks the rules."""


class ClusterError(TreadleError):
    """The workers, or the way to them, failed."""


class WorkersUnavailable(ClusterError):
    """No worker came up."""


class SubmissionRefused(ClusterError):
    """The batch system did not take a job.

    Args:
        what: See `TreadleError`.
        transient: Whether the same job may be taken later, as when a limit of jobs is reached.
        remedy: See `TreadleError`.
        detail: See `TreadleError`.
    """

    def __init__(self, what: str, *, transient: bool, remedy: str = "", detail: str = "") -> None:
        super().__init__(what, remedy=remedy, detail=detail)
        self.transient = transient


class ControllerAway(ClusterError):
    """The batch system does not answer, or with nonsense: nothing is known of its jobs until it does."""


class HostUnreachable(ControllerAway):
    """There is no way to the machine that speaks with the batch system."""


class UnitError(TreadleError):
    """The end of one unit."""


class CommandInvalid(UnitError):
    """The unit's command cannot be run at all."""


class OutputInvalid(UnitError):
    """What the unit returned is not what a unit returns."""


class WorkerLost(UnitError):
    """The worker died under the unit.

    Attributes:
        worker: Its name, as soon as somebody knows it.

    Args:
        what: See `TreadleError`.
        remedy: See `TreadleError`.
        blameless: No unit can be why, as when a node fails.
        out_of_memory: The unit ran there alone, and more memory was used than there was to be.
        out_of_time: The worker had only so much time, and the unit took longer than was left.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        blameless: bool = False,
        out_of_memory: bool = False,
        out_of_time: bool = False,
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.worker = ""
        self.blameless = blameless
        self.out_of_memory = out_of_memory
        self.out_of_time = out_of_time


class MergeFailed(TreadleError):
    """Outputs of good units contradict one another or the dataset."""


class LedgerError(TreadleError):
    """The ledger could not be read or written."""


class LedgerBusy(LedgerError):
    """Another process held the ledger for too long."""


class SchemaTooNew(LedgerError):
    """The ledger was written by a newer Treadle."""


class AlreadyDriven(LedgerError):
    """Another process drives the run."""


class LeaseLost(LedgerError):
    """Another process has taken the run over."""


class CacheError(TreadleError):
    """The call cache could not do what it was asked for."""


class Indigestible(CacheError):
    """A value has no key: calls with it cannot be told apart for certain."""


class NotCached(CacheError, KeyError):
    """There is no record or value under that key."""

    __str__ = TreadleError.__str__


class AmbiguousKey(CacheError):
    """Several keys begin like that."""


class Unstorable(CacheError):
    """A storage cannot keep a value of that type."""


class CacheRefused(CacheError):
    """A layer takes no records, or the lease of a call was lost while it ran."""


class CacheUnavailable(CacheError):
    """A storage cannot be read or written now."""


class StorageFull(TreadleError):
    """No space is left, or the place may not be written."""


class ServerError(TreadleError):
    """Prefect's server did not start or does not answer."""


class RunStranded(TreadleError):
    """A run is not at its end, and nobody drives it."""


class RunFailed(TreadleError):
    """A run ended with a failed step."""


class Cancelled(TreadleError):
    """Somebody asked for the end."""

    exit_code = 130
