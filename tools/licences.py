"""Renews THIRD_PARTY.md: the licences of what the image installs, from its own metadata.

It is run by the Python of an environment that `uv pip sync requirements.lock` made; see
docs/supply-chain.md.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# What the image ships, and under which licences

lamsearch itself is under the [MIT licence](LICENSE). The image built by the `Dockerfile` contains,
in `/opt/lamsearch`, the Python packages below, unchanged and as their authors published them; the
texts of their licences lie there in `lib/python3.11/site-packages/*.dist-info/`. Wheels of compiled
packages bring libraries of their own (OpenBLAS and the GCC runtime in NumPy and SciPy, libpq and
OpenSSL in psycopg-binary, codecs in Pillow), whose notices are in the same places; the script of
optuna-dashboard's pages contains the JavaScript libraries that its repository lists, and
fastapi-offline contains Swagger UI (Apache-2.0) and ReDoc (MIT).

**psycopg** and **psycopg-binary** are under the LGPL 3.0. lamsearch imports them unchanged; who
passes the image on passes on their licence, and lets others replace them: `pip install` of another
version into `/opt/lamsearch` does.

The base images bring Python (PSF-2.0) and Debian's packages; their licences are in
`/usr/share/doc/*/copyright`. `docker-compose.yml` also starts PostgreSQL (PostgreSQL licence).

This table is made by `tools/licences.py` from the packages' metadata.

| package | version | licence |
|---|---|---|
"""


def locked(lock: str) -> dict[str, str]:
    """Return the versions of a lock by package."""
    return dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock, re.MULTILINE))


def licence(package: str) -> str:
    """Return what a package says of its licence, as briefly as it does."""
    found = metadata.metadata(package)
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in found.get_all("Classifier", [])
        if one.startswith("License ::") and not one.endswith("OSI Approved")
    ]
    expression, text = (
        found[key].strip() if key in found else "" for key in ("License-Expression", "License")
    )
    brief = text if "\n" not in text else ""
    said = expression or ", ".join(classifiers) or brief
    return said or sys.exit(f"{package}: its metadata must name a licence")


def main() -> None:
    """Write the table, or say what is not installed as it is locked."""
    rows = []
    for package, version in locked((ROOT / "requirements.lock").read_text("utf-8")).items():
        if metadata.version(package) != version:
            sys.exit(f"{package}: must be installed as locked, {version}; see this file's head")
        rows.append(f"| {package} | {version} | {licence(package)} |\n")
    (ROOT / "THIRD_PARTY.md").write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
