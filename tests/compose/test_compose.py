"""The Compose file, the Dockerfile and the jobs of docs/clusters.md hold what they say.

There is no Docker here: what a schema, the command line itself and bash can check is checked.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.victims import until
from lamsearch.cli import cli

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
CLUSTERS = sorted((ROOT / "docs").glob("clusters*.md"))
PINNED = re.compile(
    r"([\w./-]+:\d+\.\d+[\w.]*-bookworm|[\w./-]+:\d+\.\d+\.\d+-slim-bookworm)@sha256:[0-9a-f]{64}"
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The Compose file, with the defaults of its variables."""
    plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE)
    found: dict[str, Any] = yaml.safe_load(plain.replace("$$", "$"))
    return found


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of this language in the documents on clusters."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [block for path in CLUSTERS for block in pattern.findall(path.read_text("utf-8"))]


def parses(command: list[str]) -> click.Context:
    """Return the context of a lamsearch command as the command line itself reads it."""
    context = click.Context(cli)
    verb = cli.get_command(context, command[0])
    assert verb is not None
    return verb.make_context(command[0], command[1:], parent=context)


def test_compose_obeys_the_specification(compose: dict[str, Any]) -> None:
    """docker-compose.yml is valid by the Compose specification's own JSON schema."""
    schema = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(compose, json.loads(schema.read_text(encoding="utf-8")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {"services": {"worker": {"comand": []}}}, json.loads(schema.read_text())
        )


def test_nothing_is_published_but_on_loopback(compose: dict[str, Any]) -> None:
    """The dashboard's port on 127.0.0.1 is the only one that the host opens."""
    ports = {name: one.get("ports", []) for name, one in compose["services"].items()}
    assert {name: found for name, found in ports.items() if found} == {
        "dashboard": ["127.0.0.1:8080:8080"]
    }
    assert not any(one.get("network_mode") == "host" for one in compose["services"].values())


def test_no_password_is_in_the_file(compose: dict[str, Any]) -> None:
    """Passwords come from secret files: no variable, command or URL of any service holds one."""
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or name.endswith("_FILE"), name
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), name
        assert "://" not in " ".join(service.get("command", []))
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "secrets/" in ignored
    dockerignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in dockerignore
    assert not [line for line in dockerignore if line.startswith("!") and "secret" in line]


def test_postgres_is_awaited_and_kept(compose: dict[str, Any]) -> None:
    """PostgreSQL has a health check and a named volume; each service waits for what it needs."""
    services = compose["services"]
    assert "pg_isready" in services["postgres"]["healthcheck"]["test"]
    assert "postgres:/var/lib/postgresql/data" in services["postgres"]["volumes"]
    assert services["create"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    done = {"condition": "service_completed_successfully"}
    assert services["create"]["depends_on"]["passwords"] == done
    for name in ("worker", "dashboard"):
        assert services[name]["depends_on"] == {"create": done}
    for service in services.values():
        for mount in service["volumes"]:
            assert mount.partition(":")[0] in compose["volumes"], mount


def test_workers_scale_and_leave_gracefully(compose: dict[str, Any]) -> None:
    """A worker has no name or port of its own, and more time to leave than leaving takes."""
    worker = compose["services"]["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)
    assert worker["stop_signal"] == "SIGTERM"
    assert int(worker["stop_grace_period"].removesuffix("s")) > 5
    assert worker["restart"].startswith("on-failure")


def test_every_lamsearch_command_is_one(compose: dict[str, Any]) -> None:
    """The commands of Compose and of the documents are read by the real command line."""
    assert 'ENTRYPOINT ["lamsearch"]' in DOCKERFILE
    commands = [
        service["command"] for service in compose["services"].values() if "build" in service
    ]
    assert len(commands) == 3
    for text in blocks("sh") + blocks("bash"):
        for line in text.replace("\\\n", " ").splitlines():
            inside = re.match(r"docker compose run [-\w ]*\b(?:create|worker) (?=\w)(.*)", line)
            words = shlex.split((inside.group(1) if inside else line).rstrip("&"), comments=True)
            if inside:
                commands.append(words)
            elif words and words[0] == "lamsearch":
                commands.append(words[1:])
    for text in blocks("yaml"):
        for document in yaml.safe_load_all(text):
            if document["kind"] == "Job":
                commands += [
                    one["args"] for one in document["spec"]["template"]["spec"]["containers"]
                ]
    for command in commands:
        if command[0] != "data":
            parses(command)
    verbs = {command[0] for command in commands}
    assert {"create", "worker", "dashboard"} <= verbs
    with pytest.raises(click.UsageError):
        parses(["worker", "digits", "--no-such-option"])


def test_the_passwords_reach_nobody_else(compose: dict[str, Any], tmp_path: Path) -> None:
    """The copying service writes libpq's format, with what is special escaped, for its owner."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "secrets/postgres").write_text("a:b\\c $d\n", encoding="utf-8")
    (tmp_path / "secrets/dashboard").write_text("entirely open\n", encoding="utf-8")
    service = compose["services"]["passwords"]
    assert service["network_mode"] == "none"
    script = service["command"][0].replace("/run/lamsearch", str(tmp_path / "run"))
    script = script.replace("/run/secrets", str(tmp_path / "secrets"))
    assert "chown 10001:10001 " in script
    script = re.sub(r"^chown .*$", "", script, flags=re.MULTILINE)  # root's part
    for _ in range(2):  # `up` does it again
        subprocess.run([*service["entrypoint"], script], check=True)
    pgpass = tmp_path / "run/pgpass"
    assert pgpass.stat().st_mode & 0o777 == 0o400
    pgpass.chmod(0o600)
    assert pgpass.read_text() == "postgres:5432:lamsearch:lamsearch:a\\:b\\\\c $d\n"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["dashboard", "pgpass"]
    for name in ("create", "worker", "dashboard"):
        assert "passwords:/run/lamsearch:ro" in compose["services"][name]["volumes"]


def test_images_are_pinned_and_not_root(compose: dict[str, Any]) -> None:
    """Every base has a tag down to the patch and a digest, and what we build is not root's."""
    bases = re.findall(r"^ARG LAMSEARCH_BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    bases += [one["image"] for one in compose["services"].values() if "build" not in one]
    assert len(bases) == 3
    for base in bases:
        assert PINNED.fullmatch(base), base
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${LAMSEARCH_BASE}"] * 2
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert not re.search(r"apt-get|gcc|build-essential|\bpip\b", last)


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """Return version and hashes of each package that a lock names."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text  # it is the same from any index
    found = re.findall(
        r"^([\w.-]+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n?)+)", text, re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^[^#\s]", text, re.MULTILINE))
    return {
        name: (version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", hashes))
        for name, version, hashes in found
    }


def test_the_locks_fit_the_project() -> None:
    """Each dependency of the image and of its build is locked at a version that pyproject.toml
    admits, and everything that is locked has hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    for name, wanted in (
        ("requirements.lock", project["project"]["dependencies"] + extras["s3"]),
        ("requirements-build.lock", project["build-system"]["requires"]),
    ):
        found = locked(name)
        for requirement in map(Requirement, wanted):
            version, _ = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), (str(requirement), version)
        for package, (_, hashes) in found.items():
            assert hashes, package


def test_the_image_installs_nothing_that_is_not_locked() -> None:
    """Every pip in the Dockerfile either asks for hashes, or for nothing but lamsearch itself."""
    lines = re.sub(r"\\\n", " ", DOCKERFILE)
    runs = re.findall(r"pip --python \S+ (?:install|wheel)[^&\n]*", lines)
    assert len(runs) == 4
    for run in runs:
        hashed = "--require-hashes" in run and "--only-binary :all:" in run
        assert hashed != ("--no-index" in run and "--no-deps" in run), run


def test_every_licence_is_listed() -> None:
    """THIRD_PARTY.md names each locked package with its version and a licence, and no other."""
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| ([\d]\S*) \| (\S.*) \|$", text, re.MULTILINE)
    assert {name: version for name, version, _ in rows} == {
        name: version for name, (version, _) in locked("requirements.lock").items()
    }
    assert {licence for name, _, licence in rows if name.startswith("psycopg")} == {"LGPL-3.0-only"}


def test_private_parts_are_bounded() -> None:
    """Where private parts of a package are used, its next release is not admitted unseen."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        one.name: one.specifier for one in map(Requirement, project["project"]["dependencies"])
    }
    for name, unseen in (
        ("optuna", "6.0"), ("optuna-dashboard", "0.22"), ("sqlalchemy", "3.0"), ("waitress", "4.0"),
    ):  # fmt: skip
        assert not wanted[name].contains(unseen), name
    assert not wanted["fsspec"].contains("2026.4.0")  # before it was mended: CVE-2026-104851


def test_all_that_the_dockerfile_copies_is_there() -> None:
    """What is copied into the image exists, and .dockerignore lets it through."""
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert f"!{name}" in allowed


def test_the_jobs_of_the_documents_are_well_formed() -> None:
    """The batch script is what bash can read, and each Kubernetes document names its kind."""
    scripts = [text for text in blocks("bash") if text.startswith("#!")]
    assert scripts
    for text in blocks("bash") + blocks("sh"):
        done = subprocess.run(
            ["bash", "-n"], input=text, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    documents = [one for text in blocks("yaml") for one in yaml.safe_load_all(text)]
    jobs = [one for one in documents if one["kind"] == "Job"]
    assert {one["apiVersion"] for one in jobs} == {"batch/v1"}
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        assert pod["restartPolicy"] in {"OnFailure", "Never"}
        assert pod["terminationGracePeriodSeconds"] > 5
        assert (
            "completions" not in job["spec"]
            or job["spec"]["parallelism"] <= job["spec"]["completions"]
        )


def test_the_batch_script_asks_for_a_new_place(tmp_path: Path) -> None:
    """Told that its time is nearly up, the Slurm script has the worker leave, and queues again."""
    (script,) = [text for text in blocks("bash") if "#SBATCH" in text]
    programs = {
        "lamsearch": 'trap \'echo left >> "$LOG"; exit 130\' TERM\necho "$@" >> "$LOG"\n'
        "while :; do sleep 0.05; done",
        "scontrol": 'echo "$@" >> "$LOG"',
    }
    for name, lines in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log),
        "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3",
    }  # fmt: skip
    job = subprocess.Popen(["bash", "-c", script], env=environment)
    # the worker may be at work before the shell that started it has learnt its number and waits
    until(lambda: log.exists() and log.read_text() and sleeps(job.pid))
    job.send_signal(signal.SIGUSR1)
    assert job.wait(30) == 130
    assert log.read_text().splitlines() == ["worker cifar10", "left", "requeue 7_3"]


def sleeps(pid: int) -> bool:
    """Whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
