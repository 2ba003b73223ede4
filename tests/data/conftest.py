"""What tests of data share: published files, studies, and a web server with bad manners."""

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer

import numpy as np
import pytest
from published_files import (
    CLASSES,
    NAMES,
    Handler,
    Manners,
    Published,
    python2_array,
    python2_batch,
    python2_meta,
)

from lamsearch.results import TestOpening
from lamsearch.study import Study, parse_study


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Six batches of real size, random and easily compressed."""
    directory = tmp_path_factory.mktemp("cifar10")
    generator = np.random.default_rng(7)
    found = Published(directory=directory, x=[], y=[])
    for name in ("cifar-10-batches-py", "cifar-10-batches-bin"):
        (directory / name).mkdir()
    for name in NAMES:
        x = np.repeat(generator.integers(0, 256, (10_000, 48), np.uint8), 64, axis=1)
        y = generator.integers(0, 10, 10_000)
        found.x.append(x)
        found.y.append(y)
        content = python2_batch(y.tolist(), python2_array(x.tobytes()))
        (directory / "cifar-10-batches-py" / name).write_bytes(content)
        rows = np.hstack([y[:, None].astype(np.uint8), x])
        (directory / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(rows.tobytes())
    (directory / "cifar-10-batches-py" / "batches.meta").write_bytes(python2_meta(CLASSES))
    text = "\n".join(CLASSES) + "\n\n"
    (directory / "cifar-10-batches-bin" / "batches.meta.txt").write_text(text)
    yield found
    shutil.rmtree(directory)


@pytest.fixture
def study() -> Callable[..., Study]:
    """A maker of studies with a coarse stage and, unless told otherwise, a final one."""

    def make(
        *, seed: int = 400, final: dict[str, int] | None = {},  # noqa: B006  # never changed
        finalists: dict[str, int] | None = None, **data: object,
    ) -> Study:  # fmt: skip
        document = {
            "name": "unit", "seed": seed, "data": data,
            "training": {"step_size": 10, "batch_size": 1},
            "coarse": {"trials": 2, "log10_lambda": [-4.0, -1.0]},
        }  # fmt: skip
        if final is not None:
            document["final"] = final
        if finalists is not None:
            document["finalists"] = finalists
        return parse_study(document)

    return make


@pytest.fixture
def opening() -> TestOpening:
    """The record that the test set of study ``unit`` was opened."""
    when = "2030-01-01T00:00:00+00:00"
    return TestOpening(study="unit", study_id="1", purpose="final", at=when, owner="me")


@pytest.fixture
def server() -> Iterator[Manners]:
    """A real web server on 127.0.0.1."""
    manners = Manners()
    handler = type("Handler", (Handler,), {"manners": manners})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        manners.url = f"http://127.0.0.1:{running.server_address[1]}/cifar-10-python.tar.gz"
        yield manners
        running.shutdown()
        thread.join()
