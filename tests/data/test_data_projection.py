"""Training on principal components."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamsearch.data import load, normalise
from lamsearch.data.projection import principal_components, project
from lamsearch.errors import DataError, StudyFileError
from lamsearch.study import Study, parse_study
from lamsearch.trainers.network import NetworkTrainer


def study_of(**coarse: object) -> Study:
    """A coarse-only study on digits."""
    return parse_study({
        "name": "p", "seed": 3, "data": {"source": "digits", "train": 900, "validation": 300},
        "network": {"hidden": 12},
        "training": {"step_size": 60, "batch_size": 20},
        "coarse": {"trials": 1, "log10_lambda": [-4.0, -2.0], **coarse},
    })  # fmt: skip


def test_components_agree_with_the_svd() -> None:
    """The projection spans what the singular value decomposition finds, by falling variance."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((500, 20)) * np.linspace(3, 0.1, 20)).astype(np.float32)
    found = principal_components(x, 6)
    _, _, right = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    assert np.allclose(np.abs(found.T @ right[:6].T), np.eye(6), atol=2e-3)
    assert np.allclose(found.T @ found, np.eye(6), atol=1e-5)
    assert (np.diff(project(x, found).var(axis=0)) < 0).all()


def test_only_the_training_split_is_fitted(tmp_path: Path) -> None:
    """The projection is that of the normalised training images, and of no others."""
    splits = load(study_of(components=10), tmp_path).split("coarse")
    plain = load(study_of(), tmp_path).split("coarse")
    assert splits.projection is not None
    assert np.array_equal(splits.projection, principal_components(plain.train_x, 10))
    assert np.allclose(splits.train_x, plain.train_x @ splits.projection, atol=1e-5)
    assert np.allclose(splits.validation_x, plain.validation_x @ splits.projection, atol=1e-5)


def test_all_components_change_only_rounding(tmp_path: Path) -> None:
    """A full rotation leaves loss, penalty and draws alone, so the same nets come out of it."""
    plain = load(study_of(), tmp_path).split("coarse")
    turned = load(study_of(components=64), tmp_path).split("coarse")
    training = study_of().training_of("coarse")
    trainers = [
        NetworkTrainer(splits, training, [-3.0, -2.0], hidden=12, classes=10, seed=(3, 0, 0))
        for splits in (plain, turned)
    ]
    outcomes = []
    for trainer in trainers:
        for _ in trainer.run():
            pass
        outcomes.append(trainer.outcomes())
    for one, other in zip(*outcomes, strict=True):
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-3)
        assert one.score == pytest.approx(other.score, abs=0.011)


def test_initial_weights_keep_the_fan_in_of_all_features(tmp_path: Path) -> None:
    """First layers start as N(0, 1/√features), however few components they see."""
    splits = load(study_of(components=10), tmp_path).split("coarse")
    training = study_of().training_of("coarse")
    trainer = NetworkTrainer(splits, training, [-3.0], hidden=4000, classes=10, seed=(3, 0, 0))
    weights = trainer.weights
    assert weights.V.shape[0] == 10
    assert weights.V.std() == pytest.approx(1 / np.sqrt(64), rel=0.02)


def test_exported_model_acts_on_raw_images(tmp_path: Path) -> None:
    """A model trained on components scores raw images by the formula of every model."""
    data = load(study_of(components=20), tmp_path)
    splits = data.split("coarse")
    trainer = NetworkTrainer(
        splits, study_of().training_of("coarse"), [-3.0], hidden=12, classes=10, seed=(3, 0, 0)
    )
    for _ in trainer.run():
        pass
    model, trained = trainer.models()[0], trainer.outcomes()[0]
    assert model is not None
    assert trained.scores is not None
    (W1, b1), (W2, b2) = model.layers
    assert W1.shape == (64, 12)
    raw = data.pool.x
    x = normalise(raw, model.mean, model.std)
    scores = np.maximum(x @ W1 + b1, 0) @ W2 + b2
    hits = float((scores.argmax(axis=1) == data.pool.y).mean())
    inside = np.concatenate([splits.enter(raw)])
    own = np.maximum(inside @ trainer.weights.first_layer(0) + b1, 0) @ W2 + b2
    assert hits > 0.8
    assert np.allclose(scores, own, atol=1e-3)


def test_more_components_than_features_are_refused(tmp_path: Path) -> None:
    """Asking for more components than features is one sentence, in the file or at the data."""
    with pytest.raises(StudyFileError, match=r"coarse\.components: must be at most the 64"):
        study_of(components=65)
    np.savez(tmp_path / "a.npz", X=np.eye(40, 6, dtype=np.float32), y=np.arange(40) % 2)
    document = study_of(components=7).canonical()
    document["data"] = {"source": "a.npz", "train": 25, "validation": 10}
    with pytest.raises(DataError, match=r"data\.components: must be at most the 6 features"):
        load(parse_study(document), tmp_path).split("coarse")


def whitened(**data: object) -> Study:
    """A coarse-only study on whitened components of the digits."""
    document = study_of().canonical()
    document["data"] |= {"components": 30, "whiten": True, **data}
    return parse_study(document)


def test_whitened_components_vary_alike(tmp_path: Path) -> None:
    """Each has variance 1 over the images that it is fitted on, and is the plain one, scaled."""
    splits = load(whitened(), tmp_path).split("coarse")
    plain = load(whitened(whiten=False), tmp_path).split("coarse")
    assert np.allclose(splits.train_x.var(axis=0), 1, atol=1e-3)
    ratio = splits.validation_x / plain.validation_x
    assert np.allclose(ratio, np.median(ratio, axis=0), rtol=1e-2)
    assert ratio[0, -1] > 2 * ratio[0, 0]


def test_components_that_hardly_vary_are_not_blown_up(tmp_path: Path) -> None:
    """The digits' constant pixels leave components without variance, and these stay near zero."""
    splits = load(whitened(components=64), tmp_path).split("coarse")
    assert np.isfinite(splits.train_x).all()
    assert splits.train_x.var(axis=0).max() == pytest.approx(1, abs=1e-3)
    assert splits.train_x.var(axis=0).min() < 0.01


def test_whitened_components_have_a_fan_in_of_their_own(tmp_path: Path) -> None:
    """First layers start as N(0, 1/√components), so that activations begin as large as always."""
    splits = load(whitened(), tmp_path).split("coarse")
    trainer = NetworkTrainer(
        splits, study_of().training_of("coarse"), [-3.0], hidden=4000, classes=10, seed=(3, 0, 0)
    )
    assert trainer.weights.V.std() == pytest.approx(1 / np.sqrt(30), rel=0.02)
    assert (splits.train_x @ trainer.weights.V).std() == pytest.approx(1, rel=0.05)


def test_a_model_of_whitened_components_acts_on_raw_images(tmp_path: Path) -> None:
    """The exported first layer whitens too: it scores raw images as the trained one does."""
    data = load(whitened(), tmp_path)
    splits = data.split("coarse")
    trainer = NetworkTrainer(
        splits, study_of().training_of("coarse"), [-3.0], hidden=12, classes=10, seed=(3, 0, 0)
    )
    for _ in trainer.run():
        pass
    model = trainer.models()[0]
    assert model is not None
    (W1, b1), _ = model.layers
    outside = normalise(data.pool.x, model.mean, model.std) @ W1 + b1
    inside = splits.enter(data.pool.x) @ trainer.weights.first_layer(0) + b1
    assert np.allclose(outside, inside, atol=1e-3)
    assert trainer.outcomes()[0].score > 0.5


def test_nothing_but_components_is_whitened() -> None:
    """Whitening without components is refused by key and rule."""
    with pytest.raises(StudyFileError, match=r"data\.whiten: must be false where data\.components"):
        whitened(components=None)
