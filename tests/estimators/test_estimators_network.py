"""The built-in network as a scikit-learn estimator, λ searched inside `fit`."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lamsearch import LambdaSearchClassifier
from lamsearch.errors import WorkFailedError

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "trials": 4, "keep": 2, "replicates": 2, "updates": 40, "cycles": 1, "random_state": 0,
}  # fmt: skip


def digits(count: int = 400) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return some of the digits."""
    X, y = load_digits(return_X_y=True)
    return X[:count], y[:count]


@pytest.fixture(scope="module")
def fitted() -> LambdaSearchClassifier:
    """A small classifier of digits, fitted."""
    return LambdaSearchClassifier(**SMALL).fit(*digits())


def test_digits_are_learned_on_the_defaults() -> None:
    """With nothing set but the seed, held-out digits are classified as well as networks do."""
    X, y = load_digits(return_X_y=True)
    a, b, c, d = train_test_split(X, y, random_state=0, stratify=y)
    model = LambdaSearchClassifier(random_state=0).fit(a, c)
    assert model.score(b, d) > 0.95


def test_what_a_fit_leaves(fitted: LambdaSearchClassifier) -> None:
    """λ lies within its bounds, probabilities sum to 1, and each stage has its trials."""
    X, _ = digits()
    assert 1e-6 <= fitted.best_lambda_ <= 1
    assert fitted.best_lambda_ not in fitted.indistinguishable_
    assert fitted.classes_.tolist() == list(range(10))
    p = fitted.predict_proba(X)
    assert p.shape == (400, 10)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (fitted.predict(X) == fitted.classes_[p.argmax(axis=1)]).all()
    frame = fitted.results_
    assert frame["stage"].value_counts().to_dict() == {"coarse": 4, "fine": 4, "finalists": 4}
    assert fitted.ensemble_.replicates == 2
    assert fitted.result_.best_lambda == fitted.best_lambda_


def test_the_same_seed_is_the_same_fit_in_any_number_of_processes(
    fitted: LambdaSearchClassifier,
) -> None:
    """random_state decides every bit, and n_jobs none."""
    X, y = digits()
    again = LambdaSearchClassifier(**SMALL, n_jobs=2).fit(X, y)
    assert again.result_.document["stages"] == fitted.result_.document["stages"]
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    other = LambdaSearchClassifier(**{**SMALL, "random_state": 1}).fit(X, y)
    assert (other.predict_proba(X) != fitted.predict_proba(X)).any()


def test_in_a_storage_a_fit_has_the_same_bits_and_is_found_again(
    fitted: LambdaSearchClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's search is the one in memory, and a second fit only reads it."""
    X, y = digits()
    url = f"sqlite:///{tmp_path}/fits.db"
    stored = LambdaSearchClassifier(**SMALL, storage=url).fit(X, y)
    assert stored.best_lambda_ == fitted.best_lambda_
    assert stored.result_.document["stages"] == fitted.result_.document["stages"]
    assert stored.result_.document["uncertainty"] == fitted.result_.document["uncertainty"]
    assert (stored.predict_proba(X) == fitted.predict_proba(X)).all()
    from lamsearch.worker import StudyWorker

    monkeypatch.setattr(StudyWorker, "step", None)
    again = LambdaSearchClassifier(**SMALL, storage=url).fit(X, y)
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    with pytest.raises(ValueError, match="random_state: must be a whole number with storage"):
        LambdaSearchClassifier(storage=url).fit(X, y)


def test_a_fit_in_a_storage_may_be_a_process_s_first(tmp_path: Path) -> None:
    """Nothing that a fit in a storage needs is left to a fit in memory before it."""
    code = (
        "from sklearn.datasets import load_wine; from lamsearch import LambdaSearchClassifier; "
        "X, y = load_wine(return_X_y=True); "
        f"model = LambdaSearchClassifier(**{SMALL}, storage='sqlite:///{tmp_path}/fits.db'); "
        "print(model.fit(X, y).predict(X)[:2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("[0 0]\n", "")


def test_the_final_trains_on_every_example() -> None:
    """A class's last example is learned, though the search had validated on it."""
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(size=(60, 4)), 40 + rng.normal(size=(2, 4))])
    y = np.repeat(["near", "far"], [60, 2])
    model = LambdaSearchClassifier(**SMALL).fit(X, y)
    mean = model.ensemble_.models[0].mean
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-5)


def test_one_network_is_a_member_of_the_ensemble(fitted: LambdaSearchClassifier) -> None:
    """ensemble=False predicts by the first replicate's network alone."""
    X, y = digits()
    alone = LambdaSearchClassifier(**SMALL, ensemble=False).fit(X, y)
    assert alone.ensemble_.replicates == 1
    first = fitted.ensemble_.members[0]
    assert (alone.predict_proba(X) == first.predict_proba(X)).all()


def test_labels_of_any_kind_are_predicted_as_they_were_given() -> None:
    """Texts, truth values, negative and many numbers come back as themselves."""
    X, y = digits(200)
    kinds = [
        np.array(["b", "a"])[y % 2],
        y % 2 == 1,
        y - 5,
        y % 4 * 2.0,
        np.array(["", "x"])[y % 2],
    ]
    for labels in kinds:
        model = LambdaSearchClassifier(**SMALL).fit(X, labels)
        assert model.classes_.tolist() == np.unique(labels).tolist()
        predicted = model.predict(X)
        assert predicted.dtype == labels.dtype
        assert set(predicted.tolist()) <= set(labels.tolist())


def test_data_frames_and_arrow_tables_are_taken_with_their_names() -> None:
    """Names of features are kept, and another order of them is refused."""
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = LambdaSearchClassifier(**SMALL).fit(X, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    arrays = LambdaSearchClassifier(**SMALL).fit(X.to_numpy(), y.to_numpy())
    assert (model.predict_proba(X) == arrays.predict_proba(X.to_numpy())).all()
    table = pa.Table.from_pandas(X)
    assert (model.predict_proba(table) == model.predict_proba(X)).all()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[X.columns[::-1]])
    assert isinstance(model.results_, pd.DataFrame)


def test_without_pandas_results_are_refused_with_a_sentence(
    fitted: LambdaSearchClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """results_ says what to install; the rest needs no pandas."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        fitted.results_  # noqa: B018
    assert fitted.result_.trials


def test_it_is_an_estimator_among_others(fitted: LambdaSearchClassifier) -> None:
    """Pipelines, cross-validation, clones and pickles take it."""
    X, y = digits(150)
    piped = make_pipeline(StandardScaler(), LambdaSearchClassifier(**SMALL))
    assert cross_val_score(piped, X, y, cv=2).shape == (2,)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301  # our own
    assert (again.predict(X) == fitted.predict(X)).all()
    assert again.result_.document == fitted.result_.document


def test_another_metric_selects_and_the_score_stays_accuracy() -> None:
    """log_loss is what candidates are compared by; score is scikit-learn's accuracy."""
    X, y = digits(200)
    model = LambdaSearchClassifier(**SMALL, metric="log_loss").fit(X, y)
    assert (model.results_["score"] < 0).all()
    assert model.score(X, y) == (model.predict(X) == y).mean()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"hidden": -1}, "network.hidden"),
        ({"trials": 0}, "trials"),
        ({"keep": 0}, "finalists.keep"),
        ({"log10_lambda": (0.0, -3.0)}, "log10_lambda"),
        ({"validation_fraction": 0.0}, "validation_fraction: must lie between 0 and 1"),
        ({"metric": "r2"}, "must be a metric of classification"),
        ({"metric": "f7"}, "metric"),
        ({"rule": "luck"}, "finalists.rule"),
        ({"batch_size": 0}, "training.batch_size"),
        ({"storage": "mysql://x"}, "storage"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: dict[str, Any], rule: str) -> None:
    """Every argument that breaks a rule is a ValueError at fit that states it."""
    with pytest.raises(ValueError, match=rule):
        LambdaSearchClassifier(**{**SMALL, **arguments}).fit(*digits(60))


def test_what_cannot_be_learned_is_refused() -> None:
    """One class, and values that are none, are refused with a sentence."""
    X, y = digits(60)
    with pytest.raises(ValueError, match="got 1 class"):
        LambdaSearchClassifier(**SMALL).fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="NaN"):
        LambdaSearchClassifier(**SMALL).fit(np.full_like(X, np.nan), y)


def test_a_final_that_comes_to_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no network of the final ends with a finite cost there is nothing to predict with."""
    from lamsearch.estimators import final

    monkeypatch.setattr(final._Final, "__call__", lambda _self, _replicate: None)
    with pytest.raises(WorkFailedError, match="no replicate ended with a finite cost"):
        LambdaSearchClassifier(**SMALL).fit(*digits(60))
