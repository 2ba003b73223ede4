"""The Compose file, the Dockerfile and the scripts of the documents hold what they say.

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

from benchmarks.compose import COMMANDS
from benchmarks.victims import until
from lamsearch import __version__
from lamsearch.cli import cli

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "docs" / name for name in ("clusters.md", "operating.md")]
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
    """Return the fenced blocks of this language in the documents on clusters and operating."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [block for path in DOCUMENTS for block in pattern.findall(path.read_text("utf-8"))]


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


def test_the_override_for_developers_obeys_it_too() -> None:
    """compose.dev.yml is valid, mounts what is in this checkout read-only, over what the image has
    installed, and names services that there are."""
    dev = yaml.safe_load((ROOT / "compose.dev.yml").read_text(encoding="utf-8"))
    schema = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(dev, json.loads(schema.read_text(encoding="utf-8")))
    assert set(dev["services"]) <= set(yaml.safe_load(COMPOSE)["services"])
    for service in dev["services"].values():
        for source, target, mode in (mount.split(":") for mount in service["volumes"]):
            assert (ROOT / source).is_dir()
            assert target in (
                "/opt/lamsearch/lib/python3.11/site-packages/lamsearch", "/studies",
            )  # fmt: skip
            assert mode == "ro"
    assert re.search(r"^ARG LAMSEARCH_BASE=python:3\.11\.", DOCKERFILE, re.MULTILINE)


def test_the_readme_has_the_commands_that_are_proven(compose: dict[str, Any]) -> None:
    """The first two are what the benchmark types on a real engine; the third reads the password
    from where the Compose file has it made and `serve` reads it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("<!-- service -->\n```sh\n")[2].partition("```")[0]
    up, submit, password = [line.partition(" #")[0].strip() for line in block.splitlines()]
    assert (up, submit) == COMMANDS[:2]
    assert password in COMMANDS[2].replace("exec -T", "exec")
    path = shlex.split(password)[-1]
    assert f"--password-file={path}" in compose["services"]["serve"]["command"]


def test_nothing_is_published_but_on_loopback(compose: dict[str, Any]) -> None:
    """The port of serve on 127.0.0.1 is the only one that the host opens."""
    ports = {name: one.get("ports", []) for name, one in compose["services"].items()}
    assert {name: found for name, found in ports.items() if found} == {
        "serve": ["127.0.0.1:8080:8080"]
    }
    assert not any(one.get("network_mode") == "host" for one in compose["services"].values())


def test_no_step_comes_before_up(compose: dict[str, Any]) -> None:
    """No file of the host is needed: every mount is a named volume, and there are no file secrets
    or configurations."""
    assert not {"secrets", "configs"} & set(compose)
    for service in compose["services"].values():
        assert not {"secrets", "configs", "env_file"} & set(service)
        for mount in service["volumes"]:
            assert mount.partition(":")[0] in compose["volumes"], mount


def test_no_password_is_in_the_file(compose: dict[str, Any]) -> None:
    """Passwords come from files in volumes: no variable, command or URL of a service holds one."""
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|TOKEN", name) or name.endswith("_FILE"), name
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), name
        assert not re.search(r"://[^/@]*:[^/@]*@", " ".join(service.get("command", [])))
    dockerignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in dockerignore
    assert not [line for line in dockerignore if line.startswith("!") and "secret" in line]


def test_a_secret_is_mounted_only_where_it_is_read(compose: dict[str, Any]) -> None:
    """The server's own password goes to PostgreSQL alone, what people and programs are asked for
    to serve alone, and all but the service that makes them get them read-only."""
    readers = {
        "passwords": {"schema", "worker", "serve"},
        "postgres-password": {"postgres"},
        "serve-secrets": {"serve"},
    }
    found: dict[str, set[str]] = {volume: set() for volume in readers}
    for name, service in compose["services"].items():
        for mount in service["volumes"]:
            volume, _, rest = mount.partition(":")
            if volume in readers and name != "secrets":
                assert rest.endswith(":ro"), (name, mount)
                found[volume].add(name)
    assert found == readers


def test_postgres_is_awaited_and_kept(compose: dict[str, Any]) -> None:
    """PostgreSQL has a health check and a named volume; each service waits for what it needs."""
    services = compose["services"]
    assert "pg_isready" in services["postgres"]["healthcheck"]["test"]
    assert "postgres:/var/lib/postgresql/data" in services["postgres"]["volumes"]
    done = {"condition": "service_completed_successfully"}
    assert services["postgres"]["depends_on"] == {"secrets": done}
    assert services["schema"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("worker", "serve"):
        assert services[name]["depends_on"] == {"schema": done}


def test_workers_scale_and_leave_gracefully(compose: dict[str, Any]) -> None:
    """A worker has no name, study or port of its own, and more time to leave than leaving takes."""
    worker = compose["services"]["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)
    assert worker["command"] == ["worker"]
    assert worker["scale"] == 2
    assert worker["stop_signal"] == "SIGTERM"
    assert int(worker["stop_grace_period"].removesuffix("s")) > 5


def test_what_stands_stays_up(compose: dict[str, Any]) -> None:
    """What is to stand is started again whenever it ends, its logs are rotated, and serve is asked
    whether it lives."""
    services = compose["services"]
    standing = {name for name, one in services.items() if "restart" in one}
    assert standing == {"postgres", "worker", "serve"}
    for name in standing:
        assert services[name]["restart"] == "unless-stopped"
    assert all(one["logging"] == {"driver": "local"} for one in services.values())
    (code,) = services["serve"]["healthcheck"]["test"][3:]
    compile(code, "healthcheck", "exec")
    assert "http://127.0.0.1:8080/healthz" in code


def test_every_lamsearch_command_is_one(compose: dict[str, Any]) -> None:
    """The commands of Compose and of the documents are read by the real command line."""
    assert 'ENTRYPOINT ["lamsearch"]' in DOCKERFILE
    commands = [
        service["command"] for service in compose["services"].values() if "build" in service
    ]
    assert sorted(command[0] for command in commands) == ["serve", "storage", "worker"]
    for text in blocks("sh") + blocks("bash"):
        for line in text.replace("\\\n", " ").splitlines():
            inside = re.match(r"docker compose exec (?:-T )?serve lamsearch (.*)", line)
            words = shlex.split((inside.group(1) if inside else line).rstrip("&"), comments=True)
            if inside:
                commands.append(words)
            elif words and words[0] == "lamsearch":
                commands.append(words[1:])
    for command in commands:
        if command[0] != "data":
            parses(command)
    verbs = {command[0] for command in commands}
    assert {"submit", "worker", "serve", "storage", "delete"} <= verbs
    with pytest.raises(click.UsageError):
        parses(["worker", "digits", "--no-such-option"])


@pytest.fixture
def secrets(compose: dict[str, Any], tmp_path: Path) -> Secrets:
    """The service that makes the secrets, in directories of the test."""
    return Secrets(compose["services"]["secrets"], tmp_path)


class Secrets:
    """Runs the script of the service `secrets` without what only root can do."""

    def __init__(self, service: dict[str, Any], directory: Path) -> None:
        self.service, self.directory = service, directory
        for name in ("lamsearch", "postgres", "serve"):
            (directory / name).mkdir()

    def make(self) -> str:
        """Run the script; return what it prints."""
        script = self.service["command"][0].replace("/run/", f"{self.directory}/")
        script = re.sub(r"\bchown \S+", ":", script)
        for path in self.directory.iterdir():
            path.chmod(0o700)  # root may write there
        command = [*self.service["entrypoint"], script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def read(self) -> dict[str, str]:
        """Every file, by its path, which only its owner may read."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            if path.is_file():
                assert path.stat().st_mode & 0o777 == 0o400
                found[path.relative_to(self.directory).as_posix()] = path.read_text("utf-8")
        return found


def test_secrets_are_made_once_and_not_shown(secrets: Secrets) -> None:
    """On the first start there are a password of the database, in libpq's format and plain, one of
    the page, and a token, each random; a second start changes none, and neither prints one."""
    assert secrets.service["network_mode"] == "none"
    first = secrets.make()
    found = secrets.read()
    assert sorted(found) == ["lamsearch/pgpass", "postgres/password", "serve/password",
                             "serve/token"]  # fmt: skip
    prefix, _, password = found["lamsearch/pgpass"].rstrip("\n").rpartition(":")
    assert prefix == "postgres:5432:lamsearch:lamsearch"
    assert found["postgres/password"].rstrip("\n") == password
    for value, length in (
        (password, 48), (found["serve/password"], 24), (found["serve/token"], 48),
    ):  # fmt: skip
        assert re.fullmatch(f"[0-9a-f]{{{length}}}", value), length
        assert value not in first
    assert len(set(found.values())) == 4
    assert secrets.make() == first
    assert secrets.read() == found
    for name, mode in (("lamsearch", 0o500), ("serve", 0o500)):
        assert (secrets.directory / name).stat().st_mode & 0o777 == mode


def test_the_secrets_of_an_earlier_version_are_taken_over(secrets: Secrets) -> None:
    """A password file with what is special escaped, and the dashboard's password beside it, stay
    what they were."""
    (secrets.directory / "lamsearch/pgpass").write_text(
        "postgres:5432:lamsearch:lamsearch:a\\:b\\\\c $d\n", encoding="utf-8"
    )
    (secrets.directory / "lamsearch/pgpass").chmod(0o400)
    (secrets.directory / "lamsearch/dashboard").write_text("entirely open\n", encoding="utf-8")
    secrets.make()
    found = secrets.read()
    assert found["postgres/password"] == "a:b\\c $d\n"
    assert found["serve/password"] == "entirely open\n"
    assert "lamsearch/dashboard" not in found


def test_a_start_that_was_cut_off_leaves_no_half_secret(secrets: Secrets) -> None:
    """An empty file and a temporary one, as a killed start leaves them, are made good."""
    (secrets.directory / "lamsearch/pgpass").touch()
    (secrets.directory / "serve/token.new").write_text("half", encoding="utf-8")
    secrets.make()
    found = secrets.read()
    assert len(found) == 4
    assert len(found["serve/token"]) == 48


def test_images_are_pinned_and_not_root(compose: dict[str, Any]) -> None:
    """Every base has a tag down to the patch and a digest, and what we build is not root's."""
    bases = re.findall(r"^ARG LAMSEARCH_BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    bases += [one["image"] for one in compose["services"].values() if "build" not in one]
    assert len(bases) == 3  # the third is an alias of PostgreSQL's
    for base in bases:
        assert PINNED.fullmatch(base), base
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${LAMSEARCH_BASE}"] * 2
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert not re.search(r"apt-get|gcc|build-essential|\bpip\b", last)


def test_the_image_says_what_it_is() -> None:
    """It has OCI's labels, and its version is lamsearch's."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILE))
    assert labels["version"] == __version__
    assert {"title", "description", "revision", "licenses"} <= set(labels)
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert last.index("LABEL") > last.index("RUN")


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
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue  # another system's: the image is of Linux
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


def test_the_scripts_of_the_documents_are_well_formed() -> None:
    """Every block of commands is what bash can read, and one is a batch script."""
    assert [text for text in blocks("bash") if text.startswith("#!")]
    for text in blocks("bash") + blocks("sh"):
        done = subprocess.run(
            ["bash", "-n"], input=text, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


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
    assert log.read_text().splitlines() == ["worker --exit-when-idle", "left", "requeue 7_3"]


def sleeps(pid: int) -> bool:
    """Whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
