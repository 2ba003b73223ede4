"""Wrong passwords: counted per client, by a clock that the test sets."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from study_processes import promised
from test_web_access_control import HOST, HOSTS, Behind, answered, basic, knock
from web_process import Dashboard

from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts, Limits, client_address

Start = Callable[..., Dashboard]
PASSWORD = "correct horse battery"  # noqa: S105 - made up
RULES = Rules(hosts=HOSTS, password=PASSWORD.encode())
ATTACKER, OTHER = "192.0.2.1", "192.0.2.2"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Watched:
    """Attempts with a clock of their own, and the lines they logged."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock, self.lines = Clock(), list[str]()
        self.attempts = Attempts(self.lines.append, limits, self.clock)
        self.guessed = 0

    def guess(self, client: str = ATTACKER) -> float | None:
        """Try a password that nobody tried before."""
        self.guessed += 1
        return self.attempts.judge(client, f"guess {self.guessed}".encode(), right=False)

    def enter(self, client: str = ATTACKER) -> float | None:
        """Try the right password."""
        return self.attempts.judge(client, PASSWORD.encode(), right=True)


@pytest.fixture
def watched() -> Watched:
    """Attempts that nobody has made yet."""
    return Watched()


def test_three_typing_errors_cost_nothing(watched: Watched) -> None:
    """Three wrong passwords are only wrong, and the right one after them opens at once."""
    assert [watched.guess() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert watched.enter() is None


def test_the_delay_doubles_to_a_minute(watched: Watched) -> None:
    """From the fourth wrong password on each refusal is twice as long, at most a minute."""
    assert [watched.guess() for _ in range(4)] == [0.0] * 4
    delays = []
    for _ in range(9):
        delays.append(watched.guess())
        watched.clock.now += delays[-1] or 0.0
        assert watched.guess() == 0.0
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_a_day_of_guessing_is_about_fifteen_hundred_guesses(watched: Watched) -> None:
    """Who tries without pause has one password a minute looked at, whatever else they send."""
    looked_at = 0
    for _ in range(24 * 3600):
        watched.clock.now += 1.0
        looked_at += watched.guess() == 0.0
    assert 1440 <= looked_at <= 1460


def test_who_waits_learns_nothing(watched: Watched) -> None:
    """While a client is refused, the right password is answered like a wrong one."""
    for _ in range(6):
        watched.guess()
    assert watched.enter() == watched.guess() == pytest.approx(1.0)
    watched.clock.now += 1.0
    assert watched.enter() is None
    assert [watched.guess() for _ in range(3)] == [0.0] * 3  # and all is forgotten
    assert watched.enter() is None


def test_nobody_else_is_refused(watched: Watched) -> None:
    """However often one client guesses wrong, another's right password opens."""
    for _ in range(100):
        watched.guess()
    assert watched.enter(OTHER) is None
    assert watched.enter() == pytest.approx(1.0)


def test_the_same_wrong_password_again_is_no_new_guess(watched: Watched) -> None:
    """A page that sends an old password a dozen times at once is not refused for it."""
    old = [watched.attempts.judge(OTHER, b"the old one", right=False) for _ in range(12)]
    assert old == [0.0] * 12
    assert watched.enter(OTHER) is None


def test_clients_begin_anew_after_a_quarter_of_an_hour(watched: Watched) -> None:
    """What was wrong long ago does not count any more."""
    for _ in range(4):
        watched.guess()
    watched.clock.now += 901.0
    assert [watched.guess() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert watched.enter() is None


def test_what_was_wrong_counts_for_a_quarter_of_an_hour(watched: Watched) -> None:
    """Until the very end of fifteen minutes a client is still known."""
    for _ in range(4):
        watched.guess()
    watched.clock.now += 900.0
    assert watched.guess() == 0.0
    assert watched.guess() == 2.0


def test_memory_is_bounded(watched: Watched) -> None:
    """However many addresses guess, some thousands are remembered, the latest."""
    for number in range(20_000):
        watched.guess(f"client {number}")
    assert len(watched.attempts._records) == 4096
    assert "client 19999" in watched.attempts._records


def test_the_log_names_the_client_and_is_not_flooded(watched: Watched) -> None:
    """One line in ten seconds says who guessed, how often, and how many lines were left out."""
    for _ in range(4):
        watched.guess()
    watched.clock.now = 9.9
    watched.guess(OTHER)
    assert watched.lines == [f"dashboard: wrong password from {ATTACKER}, 1 so far"]
    watched.clock.now = 10.0
    watched.guess()
    watched.clock.now = 19.9
    watched.guess()
    watched.clock.now = 20.0
    watched.guess(OTHER)
    assert watched.lines[1:] == [
        f"dashboard: wrong password from {ATTACKER}, 5 so far, refused for 2 s; "
        "4 more since the last line",
        f"dashboard: wrong password from {OTHER}, 2 so far; 1 more since the last line",
    ]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("", "an unknown address"),
        ("<script>\x1b[2J", "an unknown address"),
    ],
)
def test_who_counts_as_one_client(address: str, client: str) -> None:
    """An IPv4 address counts alone, an IPv6 one with its network, and nothing else is a name."""
    assert client_address(address) == client


def ask(watched: Watched, address: str, password: str | None, **headers: str) -> tuple[int, str]:
    """Knock from an address; return the status and what the browser is to keep."""
    given = {} if password is None else {"authorization": basic(f"me:{password}")}
    status, found, _ = knock(
        Behind(), RULES, attempts=watched.attempts, address=address, **given, **headers
    )
    return status, found.get("set-cookie", "").partition(";")[0]


def test_the_door_refuses_who_guessed_too_often(watched: Watched) -> None:
    """After wrong passwords the door says 429 and when to try again, from that address alone,
    whatever X-Forwarded-For says; who gives no password is asked for it as ever."""
    for number in range(4):
        assert ask(watched, ATTACKER, f"wrong {number}")[0] == 401
    refused = knock(
        Behind(), RULES, attempts=watched.attempts, address=ATTACKER,
        authorization=basic(f"me:{PASSWORD}"), x_forwarded_for=OTHER,
    )  # fmt: skip
    assert (refused[0], refused[1]["retry-after"]) == (429, "1")
    assert b"try again in 1 s" in refused[2]
    assert "www-authenticate" not in refused[1]
    assert ask(watched, OTHER, PASSWORD)[0] == 200
    assert ask(watched, ATTACKER, None)[0] == 401
    watched.clock.now += 1.0
    assert ask(watched, ATTACKER, PASSWORD)[0] == 200


@pytest.mark.parametrize("header", ["Basic " + "bm8gY29sb24=", "Basic !", "Bearer x", "Basic"])
def test_what_holds_no_password_is_no_attempt(watched: Watched, header: str) -> None:
    """Who sends what is no user name with a password is asked for one, and never locked out."""
    for _ in range(20):
        status, _, _ = knock(
            Behind(), RULES, attempts=watched.attempts, address=OTHER, authorization=header
        )
        assert status == 401
    assert watched.lines == []
    assert watched.enter(OTHER) is None


def test_a_known_browser_is_not_refused_for_its_neighbours(watched: Watched) -> None:
    """Behind one proxy, who has logged in before goes on while somebody else guesses."""
    status, ticket = ask(watched, ATTACKER, PASSWORD)
    assert (status, ticket.startswith("lamsearch_known_browser=")) == (200, True)
    for number in range(20):
        ask(watched, ATTACKER, f"wrong {number}")
    assert ask(watched, ATTACKER, PASSWORD)[0] == 429
    assert ask(watched, ATTACKER, PASSWORD, cookie=ticket) == (200, "")


def test_a_known_browser_still_needs_the_password(watched: Watched) -> None:
    """What a browser keeps opens nothing, and its own wrong passwords are counted too."""
    ticket = ask(watched, OTHER, PASSWORD)[1]
    assert ask(watched, OTHER, None, cookie=ticket)[0] == 401
    statuses = [ask(watched, OTHER, f"wrong {n}", cookie=ticket)[0] for n in range(6)]
    assert statuses == [401, 401, 401, 401, 429, 429]


@pytest.mark.parametrize(
    "change",
    [
        lambda ticket: ticket[:-1] + ("0" if ticket[-1] != "0" else "1"),
        lambda ticket: ticket.replace("=", "=x", 1),
        lambda _: "lamsearch_known_browser=",
        lambda _: "lamsearch_known_browser=a.",
        lambda _: "lamsearch_known_browser=é.é",
        lambda _: '"',
        lambda _: "a;;;=;lamsearch_known_browser",
    ],
)
def test_a_forged_ticket_is_none(watched: Watched, change: Callable[[str], str]) -> None:
    """A ticket that is not ours counts as none: its client is the address."""
    forged = change(ask(watched, OTHER, PASSWORD)[1])
    for number in range(4):
        ask(watched, ATTACKER, f"wrong {number}", cookie=forged)
    assert ask(watched, ATTACKER, PASSWORD)[0] == 429


def test_who_is_refused_keeps_nothing(watched: Watched) -> None:
    """Only who knew the password gets something to keep, and no page's script can read it."""
    assert ask(watched, ATTACKER, "wrong") == (401, "")
    assert ask(watched, ATTACKER, None) == (401, "")
    environ = {
        "REQUEST_METHOD": "GET", "HTTP_HOST": HOST,
        "HTTP_AUTHORIZATION": basic(f"me:{PASSWORD}"),
    }  # fmt: skip
    name, value = answered(AccessControl(Behind(), RULES, watched.attempts), environ)[1][-1]
    assert name == "Set-Cookie"
    assert value.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "set-cookie" not in knock(Behind(), Rules(hosts=HOSTS))[1]


def test_guesses_on_a_running_dashboard(finished_url: str, start: Start) -> None:
    """Of 300 passwords that are tried one after the other a handful is looked at; the log names
    the client once, and another client comes in meanwhile."""
    dashboard = start(finished_url, LAMSEARCH_DASHBOARD_PASSWORD=PASSWORD)

    def statuses(password: str, client: str) -> int:
        header = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        return dashboard.ask("/api/studies", client=client, Authorization=header).status

    found = [statuses(f"wrong password {number}", "127.0.0.3") for number in range(300)]
    assert set(found) == {401, 429}
    assert found[:4] == [401] * 4
    assert found.count(401) <= promised(10)
    assert statuses(PASSWORD, "127.0.0.1") == 200
    assert "dashboard: wrong password from 127.0.0.3, 1 so far\n" in dashboard.stderr
    assert dashboard.stderr.count("\n") <= promised(3)
    assert "wrong password 1" not in dashboard.stderr
