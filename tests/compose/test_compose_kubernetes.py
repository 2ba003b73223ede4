"""The documents in docs/kubernetes: valid, hardened, and fitting together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from lamsearch.cli import cli

FILES = sorted((Path(__file__).parents[2] / "docs/kubernetes").glob("*.yaml"))
VERSION = kubernetes_validate.latest_version()
Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    """Every document, those of a List one by one."""
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES]
    return [item for one in found for item in one.get("items", [one])]


@pytest.fixture(scope="module")
def workloads(documents: list[Document]) -> dict[str, Document]:
    """What starts pods, by its name."""
    kinds = ("Job", "Deployment")
    return {one["metadata"]["name"]: one for one in documents if one["kind"] in kinds}


def pod_of(workload: Document) -> Document:
    """The specification of its pods."""
    found: Document = workload["spec"]["template"]["spec"]
    return found


def test_each_document_obeys_the_schema_of_kubernetes(documents: list[Document]) -> None:
    """Each is valid by Kubernetes' own schema for its kind, in which no key is made up."""
    for document in documents:
        kubernetes_validate.validate(document, VERSION, strict=True)
    broken = {**documents[-1], "spek": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_there_is_all_that_a_service_is(workloads: dict[str, Document]) -> None:
    """A standing pool, a server and a job of one study."""
    kinds = {name: one["kind"] for name, one in workloads.items()}
    assert kinds == {
        "lamsearch-worker": "Deployment",
        "lamsearch-serve": "Deployment",
        "lamsearch-digits": "Job",
    }
    assert pod_of(workloads["lamsearch-worker"])["containers"][0]["args"] == ["worker"]


def test_no_container_may_more_than_it_needs(workloads: dict[str, Document]) -> None:
    """Each pod is another user than root, without the API's token; each container has a root that
    cannot be written, no capability, and bounds of memory."""
    for workload in workloads.values():
        pod = pod_of(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"] + pod["initContainers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
        for container in pod["containers"]:
            assert "memory" in container["resources"]["limits"]
            written = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in written  # noqa: S108 - of the container


def test_secrets_come_from_a_secret(documents: list[Document]) -> None:
    """No variable of a container holds a password; what is mounted or named is in the Secret."""
    (secret,) = [one for one in documents if one["kind"] == "Secret"]
    keys = set(secret["stringData"])
    for workload in (one for one in documents if one["kind"] in ("Job", "Deployment")):
        pod = pod_of(workload)
        for container in pod["containers"]:
            for variable in container["env"]:
                if "valueFrom" in variable:
                    assert variable["valueFrom"]["secretKeyRef"]["key"] in keys
                assert not re.search(r"://[^/@]*:[^/@]*@", variable.get("value", ""))
        for volume in pod["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                assert item["key"] in keys


def test_the_pool_survives_a_drain(
    documents: list[Document], workloads: dict[str, Document]
) -> None:
    """The disruption budget selects the pool's pods, which have time to leave; the budget lets a
    drain go on, one pod at a time."""
    (budget,) = [one for one in documents if one["kind"] == "PodDisruptionBudget"]
    pool = workloads["lamsearch-worker"]["spec"]
    assert budget["spec"]["selector"] == pool["selector"]
    assert budget["spec"]["maxUnavailable"] == 1
    assert pool["replicas"] > 1
    for workload in workloads.values():
        assert pod_of(workload)["terminationGracePeriodSeconds"] > 5
        labels = workload["spec"]["template"].get("metadata", {}).get("labels")
        if workload["kind"] == "Deployment":
            assert workload["spec"]["selector"]["matchLabels"] == labels


def test_the_service_leads_to_a_server_that_is_asked_whether_it_is_there(
    documents: list[Document], workloads: dict[str, Document]
) -> None:
    """The Service selects the server's pods and a port that they name; they are asked for /healthz
    and, before requests reach them, /readyz."""
    (service,) = [one for one in documents if one["kind"] == "Service"]
    spec = workloads["lamsearch-serve"]["spec"]
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    (container,) = spec["template"]["spec"]["containers"]
    names = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert spec["strategy"] == {"type": "Recreate"}


def test_every_command_is_one(workloads: dict[str, Document]) -> None:
    """What the containers start is read by the real command line."""
    pods = [pod_of(one) for one in workloads.values()]
    containers = [one for pod in pods for one in pod["initContainers"] + pod["containers"]]
    commands = [one["args"] for one in containers if "args" in one]
    assert {words[0] for words in commands} == {"serve", "storage", "worker"}
    for words in commands:
        context = click.Context(cli)
        verb = cli.get_command(context, words[0])
        assert verb is not None
        verb.make_context(words[0], list(words[1:]), parent=context)


def test_a_job_ends(workloads: dict[str, Document]) -> None:
    """The job's pods are started again when they fail, and no more run than are to complete."""
    job = workloads["lamsearch-digits"]["spec"]
    assert pod_of(workloads["lamsearch-digits"])["restartPolicy"] == "OnFailure"
    assert job["parallelism"] <= job["completions"]
