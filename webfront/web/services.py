"""The services that routes call: what each offers, and nothing of how.

`webfront.application.create_app` makes one `Services` and passes it to each route module's
`register(app, services)`. Every
method may raise an error of `webfront.errors`; its message is for the person who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import msgspec

from webfront.accounts.views import Account, NewSession, NewToken, SessionView
from webfront.apps.views import AppView, Uploaded
from webfront.fleet.views import NewNode, NodeView, PlayProgress, PlayView, Registration, Secrets
from webfront.jobs.views import Download, InputFile, JobView, LogView
from webfront.settings import Settings


class Accounts(Protocol):
    def sign_in(self, name: str, password: str, *, client: str) -> NewSession:
        """Begin a session. NotSignedIn (the same for a wrong name and a wrong password) or Throttled."""

    def sign_out(self, token: str) -> None:
        """End the session of this cookie; a token that is none changes nothing."""

    def session(self, token: str) -> SessionView | None:
        """The session of this cookie while it holds; looking renews it, up to its bound."""

    def issue_token(self, name: str, password: str, *, client: str, label: str = "") -> NewToken:
        """Make an API token. NotSignedIn or Throttled, as `sign_in`."""

    def bearer(self, token: str) -> Account | None:
        """Whose API token this is, while it holds."""

    def revoke_token(self, token: str) -> None:
        """End this API token."""


class Apps(Protocol):
    def list(self) -> tuple[AppView, ...]:
        """Every app, by name."""

    def get(self, name: str) -> AppView:
        """One app with its versions. NotFound."""

    def upload(self, account: Account, stream: BinaryIO, *, file_name: str, name: str | None = None) -> Uploaded:
        """Take a zip or a single .py. InvalidInput with line and reason, TooLarge, Forbidden (another's app)."""


class Jobs(Protocol):
    def submit(
        self,
        account: Account,
        *,
        app: str,
        version: str | None = None,
        parameters: Mapping[str, str] | None = None,
        input_file: InputFile | None = None,
        priority: int = 0,
    ) -> JobView:
        """Accept a job: once this returns it is in the database and will end in one outcome. InvalidInput, NotFound."""

    def list(
        self,
        account: Account,
        *,
        state: str | None = None,
        app: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[JobView, ...]:
        """Jobs, newest first: one's own, an administrator's all. `before` is the id of the last one of a page."""

    def get(self, account: Account, job_id: str) -> JobView:
        """One job with its attempts and outputs. NotFound also for another user's job."""

    def cancel(self, account: Account, job_id: str) -> JobView:
        """Ask for its end. Conflict when it is over."""

    def log(
        self, account: Account, job_id: str, *, after: int = 0, attempt: int | None = None, limit: int = 2000
    ) -> LogView:
        """Lines after a number, of the newest attempt unless one is named."""

    def output(self, account: Account, job_id: str, name: str) -> Download:
        """A result file of the attempt that counts. NotFound for any other name or attempt."""


class Fleet(Protocol):
    def nodes(self) -> tuple[NodeView, ...]:
        """Every node that is not removed, by name."""

    def node(self, name: str) -> NodeView:
        """One node, a removed one too. NotFound."""

    def register(self, account: Account, wish: NewNode) -> Registration:
        """Begin a registration: the rows, the secrets to the plays process. InvalidInput, Conflict, Unavailable."""

    def register_again(self, account: Account, name: str, secrets: Secrets) -> PlayView:
        """Run the registration again; it converges. Conflict while a play about the node runs."""

    def drain(self, account: Account, name: str) -> PlayView:
        """Begin to drain: no new work, wait for the running."""

    def remove(self, account: Account, name: str) -> PlayView:
        """Begin to take the platform off the node."""

    def activate(self, account: Account, name: str) -> NodeView:
        """A drained or set-aside node takes work again. Conflict in any other state."""

    def benchmark(self, account: Account, name: str) -> NodeView:
        """Ask the node to measure itself again; the figure comes with a later heartbeat."""

    def plays(self, node: str, *, limit: int = 10) -> tuple[PlayView, ...]:
        """The newest plays about a node, newest first."""

    def play(self, play_id: int, *, after: int = 0) -> PlayProgress:
        """A play and its steps numbered above `after`. NotFound."""


class HealthReport(msgspec.Struct, frozen=True):
    """`ok` or `down`, each."""

    status: str
    database: str
    broker: str


class HealthCheck(Protocol):
    def __call__(self) -> HealthReport: ...


@dataclass(frozen=True)
class Services:
    settings: Settings
    accounts: Accounts
    apps: Apps
    jobs: Jobs
    fleet: Fleet
    health: HealthCheck
