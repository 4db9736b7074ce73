"""The struct of each kind of trial's records, for the trials that write them and for the reader.

Records may come from anywhere: a record that does not fit its struct is foreign, and none breaks
the page. Fields that a struct does not know are of newer versions, and are left out.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from persistbench.outcomes import Outcome
from persistbench.records.steps import Step

SURVIVAL, CUSTOM_CODE, EXACTNESS = "survival", "custom-code", "exactness"

CODE, LOOKING, BOMBS, SCANNERS = ATTACKS = ("code", "looking", "bombs", "scanners")

(
    BIT_FLIP,
    TRUNCATION,
    FAILED_SAVE,
    FALSE_SUCCESS,
    LEAKS,
    MAP_IN_USE,
    READ_ONLY_MAP,
    CONCURRENT_USE,
) = ACCIDENTS = (
    "bit-flip",
    "truncation",
    "failed-save",
    "false-success",
    "leaks",
    "map-in-use",
    "read-only-map",
    "concurrent-use",
)

STAGES = ("audit", "load", "use")
"""Of opening an artifact, in their order."""

METRICS = ("accuracy", "precision", "recall", "F1")
MATRIX = "confusion matrix"

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Stage = Literal["audit", "load", "use"]
SavedHow = Literal["own", "renamed"]
"""Whether a backend wrote to the path itself, or to another that was then renamed."""


class Trial(Struct, frozen=True, kw_only=True):
    """What the records of all kinds have.

    Attributes:
        key: changes with everything that decides the outcome; trials with a known key are not
            made again.
        trial: the kind.
        subject: what was saved, or what was done to the artifact.
        backend: id of the backend.
        condition: a second circumstance, where the kind has one; ``place`` in the file.
        outcome: what happened.
        reason: why; empty for ``same``.
        date: UTC.
        python: version.
        os: name and release of the operating system.
        libraries: versions by distribution.
        commit: of the suite, shortened; empty where nobody recorded it.
        uncompared: what was not compared, a text for each.
        blame: whose fault the outcome is, where it is not the usual one of such an outcome.
    """

    key: str = ""
    trial: str
    subject: str
    backend: str
    condition: str | None = field(name="place", default=None)
    outcome: Outcome
    reason: str
    date: str
    python: str = "?"
    os: str = ""
    libraries: dict[str, str] = {}
    commit: str = ""
    uncompared: list[str] = []
    blame: str = ""


class Survival(Trial, frozen=True, kw_only=True):
    """Whether an estimator of scikit-learn came back.

    Attributes:
        bytes: of the artifact.
        untrusted: how many names an audit of the artifact asks for; None without an audit.
        random: methods that are not compared: asked twice, they differ.
    """

    bytes: Count | None = None
    untrusted: Count | None = None
    random: list[str] = []


class CustomCode(Trial, frozen=True, kw_only=True):
    """Whether a function or class of the user's own came back; ``present`` is its module.

    Attributes:
        false_success: the dump succeeded, and what it wrote cannot be used.
    """

    condition: Literal["present", "absent"] = field(name="place")
    false_success: bool | None = None


class Scores(Struct, frozen=True):
    """The metrics of one set of rows, with the confusion matrix: true classes by predicted."""

    accuracy: float | None
    precision: float | None
    recall: float | None
    F1: float | None
    matrix: list[list[int]] = field(name=MATRIX, default_factory=list)


class BeforeAndAfter(Struct, frozen=True):
    """The metrics of the fitted pipeline, and those of the loaded one."""

    before: Scores
    after: Scores


class Exactness(Trial, frozen=True, kw_only=True):
    """Whether what another process loads is the pipeline that was saved.

    Attributes:
        bytes: of the artifact.
        checks: by name of the check, what is wrong; empty if nothing is.
        metrics: by name of the set of rows.
        steps: what each step of the pipeline costs.
        label_changes: held-out rows whose prediction changed.
        largest_difference: of a number in the answers, where those are not exact.
    """

    bytes: Count | None = None
    checks: dict[str, str] = {}
    metrics: dict[str, BeforeAndAfter] = {}
    steps: list[Step] = []
    label_changes: Count | None = None
    largest_difference: float | None = None


class Code(Trial, frozen=True, kw_only=True):
    """Whether code in a crafted artifact ran; the condition is what the backend trusts.

    Attributes:
        marker: the stage at which code ran, or ``never``; None if nothing was opened.
        refused: the load named what it does not admit.
        admitted: names on the user's list that the payload asked for.
    """

    marker: Stage | Literal["never"] | None = None
    refused: bool | None = None
    admitted: list[str] = []


class Looking(Trial, frozen=True, kw_only=True):
    """Whether an inspection runs code of a crafted artifact; the condition is the function.

    Attributes:
        marker: whether code ran; None if nothing was inspected.
        imported: how many modules were imported beyond those for an honest artifact.
        modules: their names, or some of them.
    """

    marker: bool | None = None
    imported: Count | None = None
    modules: list[str] = []


class Peak(Struct, frozen=True):
    """Peak memory in bytes at each stage; None for a stage that was not reached."""

    audit: Count | None = None
    load: Count | None = None
    use: Count | None = None


class Said(Struct, frozen=True):
    """An outcome within a record, with its reason."""

    outcome: Outcome
    reason: str


class Bomb(Trial, frozen=True, kw_only=True):
    """What a small artifact costs that asks for much.

    Attributes:
        bytes: of the artifact; None if there is none.
        peak: memory that opening it takes.
        limit: what the library lets a user limit; empty for nothing.
        limited: what happened in a process whose memory is limited.
        looked: what the library's check says of a file that points outside its folder.
        outside: by function, whether it read outside the folder.
    """

    bytes: Count | None = None
    peak: Peak = Peak()
    limit: str = ""
    limited: Said | None = None
    looked: str | None = None
    outside: dict[str, bool] | None = None


class Scanner(Trial, frozen=True, kw_only=True):
    """What a scanner says of artifacts with a marker, and of clean ones; the subject is its name.

    Attributes:
        counts: how many artifacts it called what.
        version: of the scanner.
    """

    condition: Literal["marker", "clean"] = field(name="place")
    counts: dict[Literal["flagged", "error", "clean"], Count] = {}
    version: str = ""


class Faults(Trial, frozen=True, kw_only=True):
    """A batch of flipped bits, or of cut-off files; the condition is the range of its numbers.

    Attributes:
        bytes: of the artifact that was damaged.
        counts: how many faults had which outcome.
        errors: how many had which exception or signal.
        silent: examples of differences without an error: byte, bit, outcome, reason.
        tried: how many faults.
        wanted: how many were asked for.
    """

    bytes: Count | None = None
    counts: dict[Outcome, Count] = {}
    errors: dict[str, Count] = {}
    silent: list[tuple[Count, Count | None, Outcome, str]] = []
    tried: Count = 0
    wanted: Count = 0

    def __post_init__(self) -> None:
        """Refuse more outcomes than faults: shares would be over 100 %."""
        if sum(self.counts.values()) > self.tried:
            raise ValueError("it counts more outcomes than faults")


class FailedSave(Trial, frozen=True, kw_only=True):
    """What lies at the path of a good artifact after a save that goes wrong.

    Attributes:
        left: what it is; None if nothing was saved.
        left_reason: what a load of it says.
        litter: how many other files were left.
        tries: of two savers, how often each thing was left.
    """

    condition: SavedHow = field(name="place")
    left: Literal["earlier", "new", "broken", "wrong", "nothing"] | None = None
    left_reason: str = ""
    litter: Count | None = None
    tries: dict[str, Count] = {}


class FalseSuccess(Trial, frozen=True, kw_only=True):
    """Whether a dump of what cannot be saved reports success.

    Attributes:
        false_success: it does, and what it wrote cannot be used.
        dead: what of the loaded object no longer works.
    """

    false_success: bool | None = None
    dead: str | None = None


class Leak(Trial, frozen=True, kw_only=True):
    """Whether a secret travels in the artifact.

    Attributes:
        found: where it is.
    """

    found: Literal["artifact", "loaded", "no"] | None = None


class MapInUse(Trial, frozen=True, kw_only=True):
    """What happens to a mapped artifact whose file changes; the condition is the mode of the map.

    Attributes:
        mapped: whether the load mapped the artifact.
        file_changed: whether use of what was loaded changed the file.
        pipelines: outcome and reason by pipeline.
    """

    mapped: bool | None = None
    file_changed: bool | None = None
    pipelines: dict[str, Said] = {}


class ReadOnlyMap(Trial, frozen=True, kw_only=True):
    """Whether a method works on a read-only map; the condition is the method."""

    condition: str = field(name="place")


class ConcurrentUse(Trial, frozen=True, kw_only=True):
    """Loads of an artifact while another process saves it.

    Attributes:
        loads: how many.
        wrong: how many gave an answer of neither version.
        errors: how many failed, by class of exception or signal.
        swaps: how often a new version was saved.
    """

    condition: SavedHow = field(name="place")
    loads: Count = 0
    wrong: Count = 0
    errors: dict[str, Count] = {}
    swaps: Count = 0


KINDS: dict[str, type[Trial]] = {
    SURVIVAL: Survival,
    CUSTOM_CODE: CustomCode,
    EXACTNESS: Exactness,
    CODE: Code,
    LOOKING: Looking,
    BOMBS: Bomb,
    SCANNERS: Scanner,
    BIT_FLIP: Faults,
    TRUNCATION: Faults,
    FAILED_SAVE: FailedSave,
    FALSE_SUCCESS: FalseSuccess,
    LEAKS: Leak,
    MAP_IN_USE: MapInUse,
    READ_ONLY_MAP: ReadOnlyMap,
    CONCURRENT_USE: ConcurrentUse,
}
"""The struct of each kind; records of other kinds have what all have."""


def decode(line: str) -> Trial:
    """Return the record in a line.

    Args:
        line: JSON.

    Raises:
        msgspec.DecodeError: it is no JSON.
        msgspec.ValidationError: it is no record of its kind.
    """
    kind = _KIND.decode(line).trial
    return _DECODERS.get(kind, _DECODERS[""]).decode(line)


def checked(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record that is about to be written, if its kind's struct knows all of it.

    Raises:
        TypeError: a fact has another form, or the struct does not know it.
    """
    kind = KINDS.get(record["trial"])
    try:
        msgspec.convert(record, kind or Trial)
    except msgspec.ValidationError as error:
        raise TypeError(f"A record of {record['trial']} does not fit: {error}.") from error
    unknown = sorted(record.keys() - set(kind.__struct_encode_fields__)) if kind else []
    if unknown:
        raise TypeError(f"A record of {record['trial']} has unknown fields: {', '.join(unknown)}.")
    return record


class _Kind(Struct):
    trial: str


_KIND = msgspec.json.Decoder(_Kind)
_DECODERS = {"": msgspec.json.Decoder(Trial)} | {
    name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()
}
