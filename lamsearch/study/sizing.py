"""A study's sizes in whole numbers, once it is known how many examples there are.

Enters: a checked study, and the examples of its source. Leaves: the study with numbers where it had
shares or folds, checked again. Refuses to know which examples they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from lamsearch.errors import Issue, StudyFileError
from lamsearch.study.checks import all_issues
from lamsearch.study.document import SECTIONS, Study
from lamsearch.study.sections import Section
from lamsearch.study.shares import numbered


def sized(study: Study, examples: int, *, own_test: bool) -> Study:
    """Return the study with whole numbers for shares of so many examples, and for folds.

    Those are all examples outside the source's own test set, if it has one. A study of whole
    numbers is returned as it is.

    Raises:
        StudyFileError: The numbers break a rule.
    """
    if not study.unsized:
        return study
    source = study.data.file or study.data.source
    tables: dict[str, Section | None] = {"data": study.data, "final": study.final}
    found, own = numbered(tables, examples, source)
    if found:
        raise StudyFileError(found)
    numbers = _with(study, own)
    return _folded(numbers, examples, own_test) if numbers.unsized else numbers


def with_sizes(study: Study, sizes: Mapping[str, Mapping[str, int]]) -> Study:
    """Return the study with these sizes in [data] and [final], as its data make them.

    Raises:
        StudyFileError: The numbers break a rule.
    """
    return _with(
        study, {key: getattr(study, key).model_copy(update=dict(own)) for key, own in sizes.items()}
    )


def with_cohort(study: Study, models: int) -> Study:
    """Return the study with cohorts of so many models.

    Raises:
        StudyFileError: They break a rule.
    """
    sections = {key: getattr(study, key) for key in SECTIONS}
    if found := list(all_issues(sections, cohort=models)):
        raise StudyFileError(found)
    return study.model_copy(update={"cohort": models})


def _folded(study: Study, examples: int, own_test: bool) -> Study:
    """The study with the sizes of its folds, which are of all that is not the test set's."""
    folds, test = study.data.folds or 1, 0 if own_test else study.data.test
    if test is None and study.final is not None:
        rule = "is required with data.folds where the source has no test set of its own"
        raise StudyFileError([Issue(where="data.test", rule=rule)])
    pool = examples - int(test or 0)
    if pool < folds:
        rule = f"must be at most the {pool} examples outside the test set"
        raise StudyFileError([Issue(where="data.folds", rule=rule, value=folds)])
    one = pool // folds
    return with_sizes(study, {"data": {"train": pool - one, "validation": one}})


def _with(study: Study, tables: Mapping[str, Section]) -> Study:
    """The study with other tables; one that is as before stays itself."""
    if all(getattr(study, key) == table for key, table in tables.items()):
        return study
    sections = {key: tables.get(key, getattr(study, key)) for key in SECTIONS}
    if found := list(all_issues(sections, cohort=study.cohort)):
        raise StudyFileError(found)
    return study.model_copy(update=dict(tables))
