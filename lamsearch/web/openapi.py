"""The API's description and its page. Enters: the application. Leaves: OpenAPI, and HTML for it.

The page is Swagger UI from a package, served from here: it works without a network.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lamsearch import __version__
from lamsearch.web.documents import Problem
from lamsearch.web.headers import API

DESCRIPTION = f"{API}openapi.json"
ABOUT = """\
The verbs of `lamsearch` over HTTP. Reading asks for the server's password where it has one (HTTP
Basic, any user name) or for its token (`Authorization: Bearer TOKEN`); changing anything needs the
token, and a server that was started with `--writable`. Errors are `application/problem+json`, whose
`detail` is the sentence of the command line."""
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer"},
    "password": {"type": "http", "scheme": "basic"},
}
_READING: list[dict[str, list[str]]] = [{}, {"password": []}, {"token": []}]
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lamsearch: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/swagger-ui.css">
</head>
<body>
<main id="api"><noscript>This page needs scripts; the description itself is
<a href="/api/v1/openapi.json">openapi.json</a>.</noscript></main>
<script src="/assets/swagger-ui-bundle.js"></script>
<script src="/assets/api.js"></script>
</body>
</html>
"""


def described(app: FastAPI) -> dict[str, Any]:
    """Return the application's OpenAPI description, made once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="lamsearch", version=__version__, description=ABOUT, routes=app.routes
        )
        parts = found.setdefault("components", {})
        model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        parts.setdefault("schemas", {})["Problem"] = model
        parts["securitySchemes"] = _SECURITY
        for methods in found["paths"].values():
            for method, operation in methods.items():
                operation["security"] = _READING if method == "get" else [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


def swagger_file(name: str) -> bytes:
    """Return a file of Swagger UI."""
    return files("fastapi_offline").joinpath("static", name).read_bytes()
