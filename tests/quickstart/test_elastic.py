"""`./quickstart add elastic` on a machine that has a platform: the same one, with a real Elasticsearch beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from support.elasticsearch import distribution
from support.fresh import CHECKOUT, FROM_NOTHING_WITHIN_S, Machine

ARCHIVE = "/home/skerry/elasticsearch.tar"
# The tests' engine has no JDK, and keeps records for ever.
SETTINGS = {
    "SKERRY_ELASTIC_ARCHIVE": ARCHIVE,
    "SKERRY_ELASTIC_JAVA_HOME": "/usr/lib/jvm/default-java",
    "SKERRY_ELASTIC_LIFECYCLE": "false",
}
ADD_WITHIN_S = 420
# Asks Elasticsearch itself, and the web front, how many deeds there are.
COUNT = """
import base64, json, ssl, urllib.request
home = ".skerry/secrets/"
def ask(url, body=None, context=None, **headers):
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    return json.load(urllib.request.urlopen(request, timeout=30, context=context))
trust = ssl.create_default_context(cafile=home + "elastic/ca.crt")
password = open(home + "elastic/elastic-password").read().strip()
basic = "Basic " + base64.b64encode(("elastic:" + password).encode()).decode()
query = {"size": 0, "query": {"term": {"skerry.deed": True}}, "aggs": {"by": {"terms": {"field": "event.action"}}}}
found = ask("https://127.0.0.1:8465/logs-skerry-default/_search", query, trust,
            **{"Authorization": basic, "Content-Type": "application/json"})
there = {one["key"]: one["doc_count"] for one in found["aggregations"]["by"]["buckets"]}
api = "http://127.0.0.1:8460/api/v1"
wish = {"user": "admin", "password": open(home + "admin-password").read().strip()}
token = ask(api + "/tokens", wish, **{"Content-Type": "application/json"})["token"]
usage = ask(api + "/usage", **{"Authorization": "Bearer " + token})
here = {one["name"]: one["succeeded"] + one["failed"] for one in usage["usage"]["functions"]["most"]}
print(json.dumps([usage["source"], there["job.submit"], here["job.submit"], there["job.cancel"]]))
"""


def give_engine(machine: Machine) -> None:
    engine = distribution()
    with subprocess.Popen(["tar", "-C", engine.parent, "-c", engine.name], stdout=subprocess.PIPE) as packing:
        keep = ["docker", "exec", "--interactive", machine.id, "tee", ARCHIVE]
        subprocess.run(keep, stdin=packing.stdout, stdout=subprocess.DEVNULL, check=True, timeout=120)
    wanted = "apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless"
    done = machine.run("sh", "-c", wanted, within_s=300)
    assert done.returncode == 0, done.stderr


def test_added_to_a_platform_it_has_all_that_happened_there(fresh_machine: Callable[..., Machine]) -> None:
    # Docker lets root make no user namespace unless it is told to.
    machine = fresh_machine("debian-13", "--security-opt=seccomp=unconfined")
    assert machine.quickstart(within_s=FROM_NOTHING_WITHIN_S).returncode == 0
    before = {one["name"] for one in machine.status()["processes"]}

    refused = machine.quickstart("add", "elastic", SKERRY_ELASTIC_ARCHIVE=f"{CHECKOUT}/README.md")
    assert refused.returncode == 1
    assert "is no archive of Elasticsearch" in refused.stderr

    give_engine(machine)
    done = machine.quickstart("add", "elastic", within_s=ADD_WITHIN_S, **SETTINGS)
    assert done.returncode == 0, done.stderr
    told = machine.status()["processes"]
    assert {one["name"] for one in told} - before == {"elasticsearch", "shipper"}
    assert {one["state"] for one in told} == {"running"}
    counted = machine.run("python3", "-c", COUNT)
    assert counted.returncode == 0, counted.stderr
    # Six jobs were submitted, the first of them before there was an Elasticsearch.
    assert json.loads(counted.stdout) == ["elasticsearch", 6, 6, 1]

    # From now on it belongs to the platform, and nothing need be said again.
    assert machine.quickstart("stop").returncode == 0
    assert machine.quickstart(within_s=ADD_WITHIN_S).returncode == 0
    assert {one["name"]: one["state"] for one in machine.status()["processes"]}["elasticsearch"] == "running"
    assert machine.quickstart("destroy", "--yes").returncode == 0
    left = machine.run("sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c SKERRY_EMBEDDED_HOME").stdout
    assert left.strip() == "0"
    assert machine.run("test", "-e", f"{CHECKOUT}/.skerry").returncode == 1


def test_where_it_could_not_run_it_is_not_begun(fresh_machine: Callable[..., Machine]) -> None:
    machine = fresh_machine("debian-12")
    refused = machine.quickstart("add", "elastic", within_s=FROM_NOTHING_WITHIN_S, SKERRY_ELASTIC_ARCHIVE=ARCHIVE)
    assert refused.returncode == 1
    assert "refuses to run as root" in refused.stderr
    assert "What to do: Run ./quickstart as an ordinary user" in refused.stderr
    assert machine.run("test", "-e", f"{CHECKOUT}/.skerry/site.stamp").returncode == 1
