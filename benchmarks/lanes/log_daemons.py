"""rsyslog and syslog-ng, each taking log records from a file to Elasticsearch, under the ids that they were born with.

Neither reads a queue of RabbitMQ, so they have less to do than the other lanes; and what they hold in memory is lost
with them. Their programs are Debian's own, unpacked by `prepare shippers`: each of the two, installed, takes over the
logging of its machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.support.elasticsearch import PREPARE

RSYSLOG: Final = "rsyslog"
SYSLOG_NG: Final = "syslog-ng"

# The id stands in the fourth place between quotation marks: `wire.logs` puts it first.
_RSYSLOG: Final = """\
global(workDirectory={folder} maxMessageSize="256k")
module(load="imfile")
module(load="omelasticsearch")
template(name="record" type="string" string="%msg%")
template(name="id" type="string" string="%msg:F,34:4%")
input(type="imfile" file={records} tag="skerry" ruleset="ship")
ruleset(name="ship" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="1000"
    queue.workerThreads="1") {{
    action(type="omelasticsearch" server={host} serverport={port} uid={user} pwd={password} searchIndex={stream}
        searchType="" template="record" bulkmode="on" dynbulkid="on" bulkid="id" writeoperation="create"
        action.resumeRetryCount="-1")
}}
"""
_SYSLOG_NG: Final = """\
@version: 3.38
options {{ log-msg-size(262144); log-fifo-size(200000); stats-freq(0); }};
source records {{
    file({records} flags(no-parse) follow-freq(0.05) log-iw-size(10000) log-fetch-limit(1000));
}};
parser id {{
    csv-parser(columns("a", "b", "c", "record.id", "d") delimiters(chars("\\"")) quote-pairs('') flags(greedy));
}};
destination engine {{
    http(url({bulk}) method("POST") headers("Content-Type: application/x-ndjson") user({user}) password({password})
        body("{{\\"create\\":{{\\"_id\\":\\"${{record.id}}\\"}}}}\\n${{MESSAGE}}") delimiter("\\n") body-suffix("\\n")
        batch-lines(1000) batch-timeout(200) workers(1));
}};
log {{ source(records); parser(id); destination(engine); flags(flow-control); }};
"""


def programs() -> Path:
    """Where `prepare shippers` has put them."""
    done = subprocess.run([PREPARE, "shippers"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return Path(done.stdout.strip().splitlines()[-1])


def start(
    name: str, root: Path, folder: Path, records: Path, *, url: str, stream: str, user: str, password: str
) -> subprocess.Popen[bytes]:
    """One of them, which reads on in the file `records` and sends what is appended to it to `url`."""
    address = urlsplit(url)
    values = {
        "folder": folder, "records": records, "host": f"{address.scheme}://{address.hostname}", "port": address.port,
        "stream": stream, "bulk": f"{url}/{stream}/_bulk", "user": user, "password": password,
    }  # fmt: skip
    # What JSON quotes, both take for a text.
    quoted = {key: json.dumps(str(value)) for key, value in values.items()}
    config = folder / "config"
    config.touch(mode=0o600)
    libraries = sorted({str(file.parent) for file in root.rglob("*.so*")})
    if name == RSYSLOG:
        config.write_text(_RSYSLOG.format(**quoted))
        (modules,) = root.glob("usr/lib/*/rsyslog")
        command = [f"{root}/usr/sbin/rsyslogd", "-n", "-f", str(config), "-i", f"{folder}/pid", "-M", str(modules)]
    else:
        config.write_text(_SYSLOG_NG.format(**quoted))
        (modules,) = root.glob("usr/lib/syslog-ng/*/")
        command = [
            f"{root}/usr/sbin/syslog-ng", "--foreground", "--no-caps", "-f", str(config), f"--module-path={modules}",
            f"--persist-file={folder}/persist", f"--pidfile={folder}/pid", f"--control={folder}/control",
        ]  # fmt: skip
    with (folder / "output").open("ab") as output:
        return subprocess.Popen(
            command, env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}, stdout=output, stderr=output
        )
