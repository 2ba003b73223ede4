"""The text of a study file, with a comment for each number.

Enters: what was found in data, and a layout. Leaves: TOML. Refuses to decide anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from lamsearch.drafting.examined import Entry, Examined
from lamsearch.drafting.sizes import Layout
from lamsearch.space import LAMBDA
from lamsearch.study import json_schema
from lamsearch.visible import visible

ADDRESS = "#:schema ./study.schema.json"  # as the studies of this project have it
_COLUMN = 30  # of comments
_UNEVEN = 0.8  # share of the largest class, from which an accuracy says little


def schema_line() -> str:
    """Return the line by which editors find the schema: where its id is an address, that one."""
    address = str(json_schema().get("$id", ""))
    return f"#:schema {address}" if address.startswith("https://") else ADDRESS


def study_text(name: str, found: Examined, layout: Layout, command: str) -> str:
    """Return a study file's text; ``command`` is what wrote it."""
    lines = [
        f"# Written by: {visible(command)}",
        schema_line(),
        *_entries(_head(name, found, layout)),
    ]
    for table, entries in _tables(found, layout):
        lines += ["", f"[{table}]", *_entries(entries)]
    return "\n".join(lines) + "\n"


def _entries(entries: Iterable[Entry]) -> Iterator[str]:
    for one in entries:
        line = f"{one.key} = {_toml(one.value)}"
        yield f"{line:<{_COLUMN}}# {visible(one.comment)}" if one.comment else line


def _toml(value: Any) -> str:
    """A value as TOML writes it: as JSON does, for what a study file holds."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _head(name: str, found: Examined, layout: Layout) -> Iterator[Entry]:
    yield Entry(key="name", value=name)
    yield Entry(key="seed", value=1, comment="another one draws everything anew")
    if found.task == "regression":
        metric, why = "r2", "the share of the variance that is predicted; or mse, mae"
    elif layout.few:
        metric, why = "log_loss", "few examples say more of a λ by it than by accuracy"
    else:
        metric, why = "accuracy", _accuracy(found)
    yield Entry(key="metric", value=metric, comment=why)


def _accuracy(found: Examined) -> str:
    share = max(found.counts) / sum(found.counts)
    if share > _UNEVEN:
        return f"{100 * share:.0f} % are of one class: consider balanced_accuracy"
    return "or log_loss, which needs fewer trainings; balanced_accuracy where classes are rare"


def _tables(found: Examined, layout: Layout) -> Iterator[tuple[str, list[Entry]]]:
    yield "data", [*found.entries, *_splits(found, layout)]
    yield "network", [Entry(key="hidden", value=layout.hidden, comment="units; [] is linear")]
    yield "training", list(_training(layout))
    yield "coarse", list(_coarse(layout))
    yield (
        "fine",
        [
            Entry(key="trials", value=layout.fine, comment="between coarse's best"),
            Entry(key="keep", value=layout.keep),
            Entry(key="sampler", value="stratified"),
        ],
    )
    yield (
        "finalists",
        [
            Entry(key="keep", value=4, comment="the best again, over seeds of their own"),
            Entry(key="replicates", value=5),
            Entry(key="extend", value=True, comment="go on while the best is the outermost"),
            Entry(key="rule", value="model", comment="the top of a curve through all of them"),
        ],
    )
    yield (
        "final",
        [
            Entry(key="train", value=layout.final_train, comment="λ is chosen: train on more"),
            Entry(key="validation", value=layout.final_validation),
            Entry(key="replicates", value=5, comment="models, which predict together"),
            Entry(key="sample_every", value="epoch", comment="their whole learning curves"),
        ],
    )


def _splits(found: Examined, layout: Layout) -> Iterator[Entry]:
    what = f"of {found.examples:,} examples with {found.features:,} features"
    yield Entry(key="train", value=layout.train, comment=what)
    yield Entry(key="validation", value=layout.validation, comment="λ is chosen by these")
    if layout.test is not None:
        yield Entry(key="test", value=layout.test, comment="opened once, at the very end")
    if found.task == "classification":
        yield Entry(key="stratified", value=True, comment="every split has the classes' shares")
    if layout.few:
        comment = "few examples: each replicate has a split of its own"
        yield Entry(key="resplit", value=True, comment=comment)


def _training(layout: Layout) -> Iterator[Entry]:
    yield Entry(key="batch_size", value=layout.batch_size)
    yield Entry(key="eta_max", value=layout.eta_max, comment="lamsearch lr-range says how high")
    yield Entry(key="step_size", value=layout.step_size, comment="updates in half a cycle")
    epochs = f"{layout.epochs:.0f} epochs" if layout.epochs >= 2 else f"{layout.epochs:.1f} epochs"
    yield Entry(key="cycles", value=layout.cycles, comment=f"{epochs} in all")
    why = "in search: each further point of a curve costs time"
    yield Entry(key="sample_every", value="cycle", comment=why)


def _coarse(layout: Layout) -> Iterator[Entry]:
    yield Entry(key="trials", value=layout.coarse)
    yield Entry(key=LAMBDA.name, value=list(layout.interval), comment="bounds of log10 λ")
    yield Entry(key="sampler", value="stratified")
