"""The form of records of safety trials: they may come from anywhere, and none breaks the page."""

from collections.abc import Callable
from typing import Any

from persistbench.outcomes import Outcome

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

_Check = Callable[[Any], bool]


def completed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with all facts of its kind: where nothing came back, there are none."""
    facts = _FACTS.get(str(record.get("trial")), {})
    return {name: absent for name, (_, absent) in facts.items()} | record


def whole(record: dict[str, Any]) -> bool:
    """Return whether a completed record has the facts of its kind, each of its form."""
    facts = _FACTS.get(record["trial"], {})
    if not all(check(record[name]) for name, (check, _) in facts.items()):
        return False
    # More outcomes than faults would make shares of over 100 %.
    return "tried" not in facts or sum(record["counts"].values()) <= record["tried"]


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _maybe(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _one_of(*words: str) -> _Check:
    return lambda value: _text(value) and value in words


def _counts(known: frozenset[str] = frozenset()) -> _Check:
    """Return a check for numbers by name; without names, by any."""
    return lambda value: (
        isinstance(value, dict)
        and all(map(_count, value.values()))
        and (not known or value.keys() <= known)
    )


def _peak(value: Any) -> bool:
    return isinstance(value, dict) and all(
        value.get(stage) is None or _count(value[stage]) for stage in STAGES
    )


def _verdict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _text(value.get("outcome"))
        and value["outcome"] in set(Outcome)
        and _text(value.get("reason"))
    )


_FAULTS: dict[str, tuple[_Check, Any]] = {
    "counts": (_counts(frozenset(Outcome)), {}),
    "errors": (_counts(), {}),
    "tried": (_count, 0),
    "wanted": (_count, 0),
}

_SAVED_HOW = (_one_of("own", "renamed"), None)

_FACTS: dict[str, dict[str, tuple[_Check, Any]]] = {
    CODE: {
        "marker": (_maybe(_one_of(*STAGES, "never")), None),
        "refused": (_maybe(_flag), None),
    },
    LOOKING: {
        "marker": (_maybe(_flag), None),
        "imported": (_maybe(_count), None),
        "modules": (_texts, []),
    },
    BOMBS: {
        "bytes": (_maybe(_count), None),
        "peak": (_peak, {}),
        "limit": (_text, ""),
        "limited": (_maybe(_verdict), None),
    },
    SCANNERS: {
        "place": (_one_of("marker", "clean"), None),
        "counts": (_counts(frozenset({"flagged", "error", "clean"})), {}),
        "version": (_text, ""),
    },
    BIT_FLIP: _FAULTS,
    TRUNCATION: _FAULTS,
    FAILED_SAVE: {
        "place": _SAVED_HOW,
        "left": (_maybe(_one_of("earlier", "new", "broken", "wrong", "nothing")), None),
        "left_reason": (_text, ""),
        "litter": (_maybe(_count), None),
    },
    FALSE_SUCCESS: {"false_success": (_maybe(_flag), None), "dead": (_maybe(_text), None)},
    LEAKS: {"found": (_maybe(_one_of("artifact", "loaded", "no")), None)},
    MAP_IN_USE: {"mapped": (_maybe(_flag), None), "file_changed": (_maybe(_flag), None)},
    READ_ONLY_MAP: {"place": (_text, None)},
    CONCURRENT_USE: {
        "place": _SAVED_HOW,
        "loads": (_count, 0),
        "wrong": (_count, 0),
        "swaps": (_count, 0),
        "errors": (_counts(), {}),
    },
}
"""The facts of each kind: their form, and what they are where nothing came back."""
