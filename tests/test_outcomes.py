"""An outcome knows what it means, so that nobody keeps a list of outcomes elsewhere."""

from persistbench.outcomes import Blame, Outcome, Verdict


def test_every_outcome_has_a_severity_of_its_own() -> None:
    """Each outcome stands once in the order from worst to harmless."""
    assert sorted(outcome.severity for outcome in Outcome) == list(range(len(Outcome)))


def test_silent_wrong_answers_are_the_worst() -> None:
    """Before crashes, before errors, before what is the same, before refusals to save."""
    silent = max(outcome.severity for outcome in Outcome if outcome.silent)
    died = [outcome.severity for outcome in Outcome if outcome.died]
    assert silent < min(died)
    assert max(died) < Outcome.ERROR_AT_USE.severity < Outcome.ERROR_AT_LOAD.severity
    assert Outcome.ERROR_AT_LOAD.severity < Outcome.SAME.severity
    assert all(one.severity > Outcome.SAME.severity for one in Outcome if one.refusal)


def test_only_a_wrong_answer_is_silent() -> None:
    """What is silent came back, and is not the same."""
    for outcome in Outcome:
        assert not outcome.silent or (outcome.came_back and outcome is not Outcome.SAME)
        assert not (outcome.came_back and (outcome.died or outcome.refusal))


def test_refusal_is_no_failure_unless_the_machine_is_to_blame() -> None:
    """A cell that was refused is n/a; a full disk is a failure whatever it is called."""
    assert Verdict(Outcome.UNSUPPORTED).refused
    assert Verdict(Outcome.ERROR_AT_DUMP).refused
    assert not Verdict(Outcome.ERROR_AT_LOAD).refused
    assert not Verdict(Outcome.ERROR_AT_DUMP, fault=Blame.MACHINE).refused
    assert Verdict(Outcome.VALUES_DIFFER, by_design=True).refused
