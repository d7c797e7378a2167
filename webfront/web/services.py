"""What routes call: the nouns' services, made once and passed to each route module's `register(app, services)`.

Every method may raise an error of `webfront.errors`; its message is for the person who asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from webfront.accounts.service import AccountService
from webfront.activity.service import ActivityService
from webfront.apps.service import AppService
from webfront.fleet.service import FleetService
from webfront.invitations.service import InvitationService
from webfront.jobs.service import JobService
from webfront.logs.service import LogsService
from webfront.plays.service import PlayService
from webfront.schedules.service import ScheduleService
from webfront.scheduling.service import PlacementService
from webfront.settings import Settings
from webfront.usage.service import UsageService
from webfront.web.health import HealthService
from webfront.webhooks.service import WebhookService


@dataclass(frozen=True)
class Services:
    settings: Settings
    accounts: AccountService
    apps: AppService
    jobs: JobService
    placement: PlacementService
    schedules: ScheduleService
    fleet: FleetService
    plays: PlayService
    invitations: InvitationService
    webhooks: WebhookService
    activity: ActivityService
    usage: UsageService
    logs: LogsService
    health: HealthService
