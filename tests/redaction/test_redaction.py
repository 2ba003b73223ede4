"""URLs as they are shown, and what libraries say about them."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus, unquote, urlsplit

import fsspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from lamsearch.redaction import scrub, shown


@pytest.mark.parametrize(
    "url",
    [
        "/mnt/a:b@c",
        "files@2",
        "./a:b@c",
        "s3://bucket/a:b@c/d",
        "s3://bucket/x?region=eu-central-1",
        "ftp://user@host/x",
        "ftp://host:2121/x",
        "memory://x",
        "file:///mnt/a@b",
        "simplecache::s3://bucket/x",
        "zip://a.zip::file:///mnt/x",
        "sqlite:///studies.db",
        "sqlite:////mnt/a@b.db?timeout=5",
        "sqlite:///file:x.db?mode=ro&uri=true",
        "postgresql+psycopg://user@host:5432/db?sslmode=verify-full&application_name=x",
        "postgresql+psycopg:///db?host=/var/run/postgresql",
        "postgresql://u@[2001:db8::1]:5432/db",
        "tcp://127.0.0.1:8786",
        "tls://scheduler:8786",
        "",
    ],
)
def test_what_is_harmless_is_shown(url: str) -> None:
    """Scheme, user, host, port, path and the options of the list are shown as they were given."""
    assert shown(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://user:pa55@host/x", "ftp://user:***@host/x"),
        ("ftp://user:p@5/5@host/x", "ftp://user:***@host/x"),
        ("ftp://user:p?5#5@host/x", "ftp://***"),
        ("simplecache::ftp://user:pa55@host/x", "simplecache::ftp://user:***@host/x"),
        ("http://TOKEN@host/x", "http://***@host/x"),
        ("http://TOKEN:x-oauth-basic@host/x", "http://***@host/x"),
        ("s3://KEY:SECRET@bucket/x", "s3://***@bucket/x"),
        ("s3://TOKEN@bucket/x", "s3://***@bucket/x"),
        ("s3://bucket/x?T@b", "s3://***"),
        ("abfs://SECRET@account.example/x", "abfs://***@account.example/x"),
        ("http://host/x?access=a@b", "http://***"),
        ("http://host/x?oauth_client_secret=T", "http://host/x?***"),
        ("postgresql://u@h/d?passwd=T&sslmode=require", "postgresql://u@h/d?***&sslmode=require"),
        ("https://host/x?account=me&sas_token=pa55&y=1", "https://host/x?account=me&***&***"),
        ("https://host/x?TOKEN", "https://host/x?***"),
        ("https://host/x?VE9LRU4=", "https://host/x?***"),
        ("https://host/x#access_token=T", "https://host/x#***"),
        ("https://host/x?region=eu#T", "https://host/x?***"),
        ("ftp://user:pa55/x", "ftp://***/x"),
        ("user:pa55@host/x", "***@host/x"),
        ("http:/TOKEN:x@host/x", "***@host/x"),
        ("zip://a.zip::ftp://user:pa55@host/x", "zip://***@host/x"),
        ("tcp://user:pa55@host:8786", "tcp://***@host:8786"),
    ],
)
def test_all_else_is_hidden(url: str, expected: str) -> None:
    """Passwords, tokens, unknown options and fragments are hidden, wherever they stand."""
    assert shown(url) == expected
    assert shown(expected) == expected


# Something in each that stands nowhere else, so that a part of it which is left is found.
SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=12
).flatmap(
    lambda rest: st.integers(0, len(rest)).map(
        lambda cut: rest[:cut] + "Q7jZ9x" + rest[cut:] + "W3kY8v"
    )
)
MARKS = ("Q7jZ9x", "W3kY8v", "q7jz9x", "w3ky8v")
PLACES = [
    "ftp://user:{}@host/x", "ftp://user:{}:{}@host/x", "http://{}@host/x", "http://user:{}@host:80/x",
    "s3://key:{}@bucket", "https://host/x?access={}", "https://host/x?{}",
    "https://host/x?region=eu&passwd={}&account=me", "https://host/x#{}", "https://host/x?a=b#c={}",
    "simplecache::ftp://user:{}@host/x", "zip://a.zip::http://host/x?sig={}",
    "filecache::zip://a.zip::ftp://user:{}@host/x", "user:{}@host/x", "tcp://{}@host:8786",
    "sqlite:///x.db?key={}", "postgresql://user:{}@host:5432/db",
    "postgresql://user@host/db?sslmode=require&options={}", "postgresql://host/db?password={}",
]  # fmt: skip


@given(SECRETS, st.sampled_from(PLACES), st.sampled_from(["as it is", "quoted", "all quoted"]))
@settings(max_examples=1500, deadline=None)
def test_no_secret_is_shown(secret: str, place: str, form: str) -> None:
    """Whatever a secret is made of, in whatever form and wherever it stands, no end of it is in
    what is shown of the URL."""
    given_as = {"as it is": secret, "quoted": quote(secret), "all quoted": quote(secret, safe="")}
    url = place.format(*[given_as[form]] * 2)
    assert not [mark for mark in MARKS if mark in shown(url)], shown(url)
    assert shown(shown(url)) == shown(url)


def said(secret: str, url: str) -> list[str]:
    """What libraries may say about a URL with a secret, in as many forms."""
    words = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret),
             json.dumps(secret), unquote(secret), url, repr(url), quote(url), secret.upper(),
             f"GET {url} HTTP/1.1", f"['{secret}', {secret!r}]"]  # fmt: skip
    return [f"cannot open {word}: refused" for word in words]


@given(SECRETS, st.sampled_from(PLACES), st.sampled_from(["as it is", "quoted", "all quoted"]))
@example("Q7jZ9x=W3kY8v", "https://host/x?{}", "as it is")
@settings(max_examples=800, deadline=None)
def test_no_secret_is_in_what_libraries_say(secret: str, place: str, form: str) -> None:
    """A text that repeats a secret, decoded, encoded, escaped or within its URL, holds no end of
    it when it is shown."""
    given_as = {"as it is": secret, "quoted": quote(secret), "all quoted": quote(secret, safe="")}
    url = place.format(*[given_as[form]] * 2)
    assume(secret == unquote(secret))  # else decoding it makes another
    for text in said(secret, url):
        found = scrub(text, url)
        assert not [mark for mark in MARKS if mark in found.replace(secret.upper(), "")], found
        assert found.startswith("cannot open ")


def test_an_options_name_is_no_secret_and_a_token_like_one_is() -> None:
    """Of ``access=T`` the name may be said elsewhere; together they are said nowhere."""
    url = "https://host/x?access=tea5&expires=no"
    assert scrub("cannot access access=tea5: tea5", url) == "cannot access ***: ***"
    assert scrub("cannot open ACCESS%3Dtea5", url) == "cannot open ***"


@given(SECRETS, st.sampled_from(PLACES))
@example("[Q7jZ9x]W3kY8v", "ftp://user:{}@host/x")
@example("[Q7jZ9x%W3kY8v]", "ftp://user:{}@host/x")
@example("Q7jZ9x'/W3kY8v", "ftp://user:{}@host/x")
@settings(max_examples=500, deadline=None)
def test_no_secret_is_in_what_parsers_really_say(secret: str, place: str) -> None:
    """What the parsers of Python, SQLAlchemy and fsspec raise about a URL holds no end of its
    secret when it is shown."""
    url = place.format(*[secret] * 2)
    for parse in (
        lambda: urlsplit(url).port,
        lambda: make_url(url),
        lambda: fsspec.utils.infer_storage_options(url),
    ):
        try:
            parse()
        except Exception as error:
            found = scrub(f"{error} {error!r}", url)
            assert not [mark for mark in MARKS if mark in found], found


def test_other_urls_in_a_text_are_shown_as_any() -> None:
    """A URL that a server answers with, as on a redirect, loses its secrets too."""
    text = "moved to 'https://host/x?X-Amz-Signature=T', see http://T@host:80/y."
    assert scrub(text, "s3://b") == "moved to 'https://host/x?***', see http://***@host:80/y."


def test_a_text_without_secrets_stays() -> None:
    """What holds no secret is said as it was said, short words and punctuation included."""
    text = "connection to http://[::1]:9000/x, port 9000 (http://host:80): refused; a password?"
    assert scrub(text, "ftp://user:a@host") == text.replace(" a ", " *** ")


def test_short_secrets_do_not_garble_words() -> None:
    """A secret of a letter or two is removed where it stands alone, and not out of words."""
    assert scrub("cannot use 'an' at all", "ftp://u:an@h") == "cannot use '***' at all"
