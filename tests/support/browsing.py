"""What tests in the browser look at, and with whose eyes."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page
from support.scratch import Scratch


@dataclass
class Visitor:
    """A signed-in page, and what went wrong in it: errors on the console, uncaught exceptions."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda one: self.problems.append(one.text) if one.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def sign_in(self, user: str, password: str) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}/")

    def goto(self, path: str) -> None:
        self.page.goto(self.url + path)


@dataclass(frozen=True)
class Platform:
    """A running platform and who may sign in to it."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class Site:
    """A web front on a database that a test fills; nothing else runs."""

    url: str
    scratch: Scratch
    """What fills it: the ids of its jobs and plays."""
