"""What each verb of `skerry webhooks` does."""

from __future__ import annotations

import argparse
from typing import Any

from webfront.cli import commands
from webfront.cli.commands import say, tell
from webfront.cli.errors import OK
from webfront.cli.tables import moment, table


def listing(options: argparse.Namespace) -> int:
    found = commands.signed_in().get("webhooks")["webhooks"]
    rows = [(one["id"], one["url"], one["app"] or "all", one["user"], one["pending"], one["failed"]) for one in found]
    words = table(("WEBHOOK", "URL", "APP", "USER", "PENDING", "FAILED"), rows)
    say(options, {"webhooks": found}, words if rows else _NONE)
    return OK


def create(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("POST", "webhooks", json={"url": options.url, "app": options.app})
    tell(f"Webhook {found['webhook']['id']} is made. Its key, shown this once:")
    say(options, found, found["key"])
    return OK


def show(options: argparse.Namespace) -> int:
    one = commands.signed_in().get(f"webhooks/{options.webhook}")["webhook"]
    lines = [
        f"webhook   {one['id']}",
        f"url       {one['url']}",
        f"told of   {'jobs of ' + one['app'] if one['app'] else 'all jobs'} of {one['user']}",
        f"made      {moment(one['created_at'])}",
        f"pending   {one['pending']}",
        f"failed    {one['failed']}",
    ]
    if one["failing_since"] is not None:
        lines += [f"failing   since {moment(one['failing_since'])}", f"next try  {moment(one['rest_until'])}"]
    say(options, {"webhook": one}, "\n".join(lines))
    return OK


def delete(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("DELETE", f"webhooks/{options.webhook}")
    told = f" Deliveries that will not be sent: {found['dropped']}." if found["dropped"] else ""
    say(options, found, f"Webhook {options.webhook} is deleted.{told}")
    return OK


def rekey(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("POST", f"webhooks/{options.webhook}/key")
    tell("The new key, shown this once; from now on it signs:")
    say(options, found, found["key"])
    return OK


def test(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("POST", f"webhooks/{options.webhook}/test")
    say(options, found, found["delivery"]["id"])
    return OK


def deliveries(options: argparse.Namespace) -> int:
    client = commands.signed_in()
    path = f"webhooks/{options.webhook}/deliveries"
    found = client.get(path, state=options.state, limit=options.limit)["deliveries"]
    rows = [
        (one["id"], one["state"], one["tries"], moment(one["tried_at"]), one["job"] or "a test", _last(one))
        for one in found
    ]
    heads = ("DELIVERY", "STATE", "TRIES", "TRIED", "JOB", "")
    say(options, {"deliveries": found}, table(heads, rows) if rows else "There is no delivery.")
    return OK


def again(options: argparse.Namespace) -> int:
    if options.failed_of is not None:
        found = commands.signed_in().call("POST", f"webhooks/{options.failed_of}/again")
        say(options, found, f"Deliveries that are sent again: {found['deliveries']}.")
        return OK
    found = commands.signed_in().call("POST", f"deliveries/{options.delivery}/again")
    say(options, found, f"{found['delivery']['id']} is sent again.")
    return OK


_NONE = "There is no webhook yet. Make one: skerry webhooks create https://ci.example.org/hook"


def _last(delivery: dict[str, Any]) -> str:
    return delivery["error"] or (f"answered {delivery['status']}" if delivery["status"] else "")
