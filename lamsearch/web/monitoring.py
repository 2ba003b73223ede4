"""What a monitor asks: is the process there, is its database, and numbers for Prometheus.

Enters: a storage. Leaves: two words, and the metrics: counts are read from the database when they
are asked for, the rest is of this process. Refuses to say anything of a study by its name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lamsearch import __version__
from lamsearch import storage as store
from lamsearch.errors import StorageError, StorageFailedError
from lamsearch.storage import DATABASE_ERRORS, Counts, Database
from lamsearch.web.outages import Outages

_AWAY = (*DATABASE_ERRORS, StorageError, StorageFailedError)
_FRESH_SECONDS = 1.0  # nobody who asks for /readyz more often makes the database busy
_NO_STORE = {"Cache-Control": "no-store"}
_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Readiness:
    """Whether the database answers, asked at most once a second."""

    def __init__(self, database: Database, outages: Outages) -> None:
        self._database, self._outages = database, outages
        self._lock = threading.Lock()
        self._until, self._ready = 0.0, False

    def __call__(self) -> bool:
        """Return whether the database answers, or did a moment ago."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._ready = self._answers()
                self._until = time.monotonic() + _FRESH_SECONDS
            return self._ready

    def _answers(self) -> bool:
        try:
            with self._database.read() as transaction:
                transaction.now()
        except _AWAY as error:
            self._outages.failed(_sentence(error, self._outages))
            return False
        self._outages.answered()
        return True


class Metrics:
    """A collector of Prometheus' client."""

    def __init__(self, database: Database, outages: Outages) -> None:
        self._database, self._outages = database, outages
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; of a database that is away, that it is."""
        info = GaugeMetricFamily("lamsearch_build_info", "Which lamsearch", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        counts = self._counts()
        up = "Whether the database answers"
        yield GaugeMetricFamily("lamsearch_database_up", up, value=float(counts is not None))
        yield CounterMetricFamily(
            "lamsearch_database_outages",
            "How often the database went away while this process served",
            value=self._outages.count,
        )
        if counts is not None:
            yield from _families(counts)
            yield GaugeMetricFamily(
                "lamsearch_claim_seconds",
                "Seconds that finding the next study to claim a cohort of took just now",
                value=self._seconds_per_look(),
            )

    def _seconds_per_look(self) -> float:
        """How long a worker that asks for work waits for the database."""
        begun = time.perf_counter()
        with suppress(*_AWAY):
            store.next_study(self._database)
        return time.perf_counter() - begun

    def _counts(self) -> Counts | None:
        try:
            counts = store.read_counts(self._database)
        except _AWAY as error:
            self._outages.failed(_sentence(error, self._outages))
            return None
        self._outages.answered()
        return counts


def _sentence(error: Exception, outages: Outages) -> str:
    said = isinstance(error, (StorageError, StorageFailedError))
    return str(error) if said else outages.sentence(error)


def _families(counts: Counts) -> Iterator[Metric]:
    studies = GaugeMetricFamily("lamsearch_studies", "Studies by state", labels=["state"])
    for state, count in counts.studies.items():
        studies.add_metric([state], count)
    trials = GaugeMetricFamily("lamsearch_trials", "Planned trials by state", labels=["state"])
    for name, count in counts.trials.items():
        trials.add_metric([name.lower()], count)
    yield studies
    yield trials
    yield GaugeMetricFamily(
        "lamsearch_workers_alive", "Workers whose lease holds", value=counts.workers
    )
    yield GaugeMetricFamily(
        "lamsearch_queue_age_seconds",
        "Seconds since the oldest queued study was submitted",
        value=counts.queue_age,
    )
    yield GaugeMetricFamily(
        "lamsearch_leases_reclaimed",
        "How often a lease of the studies that are there ran out and another worker went on",
        value=counts.reclaimed,
    )


def router(database: Database, outages: Outages) -> APIRouter:
    """Return the routes that a monitor asks."""
    routes = APIRouter(include_in_schema=False)
    ready, metrics = Readiness(database, outages), Metrics(database, outages)

    @routes.get("/healthz")
    def healthz() -> Response:
        return PlainTextResponse("ok\n", headers=_NO_STORE)

    @routes.get("/readyz")
    def readyz() -> Response:
        if ready():
            return PlainTextResponse("ok\n", headers=_NO_STORE)
        return PlainTextResponse("the database is away\n", 503, headers=_NO_STORE)

    @routes.get("/metrics")
    def numbers() -> Response:
        return Response(metrics.text(), media_type=_FORMAT, headers=_NO_STORE)

    return routes
