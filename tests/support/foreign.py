"""Lines of programs that are not ours, and the records that become of them.

nginx 1.22, MariaDB 10.11, RabbitMQ 3.10 and supervisor 4.3 wrote them when they were run for this, in several
time zones. Since then paths were shortened, and the hours of nginx's errors moved to the zone of the tests.
"""

from __future__ import annotations

import json
from typing import Any

from .logstash import ARRIVED

COMBINED = '127.0.0.1 - - [27/Nov/2026:14:24:55 -0330] "GET / HTTP/1.1" 401 179 "-" "curl/7.88.1"'
FAILED = (
    "2026/11/27 23:24:55 [error] 9895#9895: *4 connect() failed (111: Connection refused) while connecting to upstream"
    ', client: 127.0.0.1, server: trial.test, request: "POST /dead?secret=1 HTTP/1.1", '
    'upstream: "http://127.0.0.1:9/dead?secret=1", host: "127.0.0.1:18461"'
)
CRASH = """\
261127 23:29:34 [ERROR] /usr/sbin/mariadbd got signal 6 ;
Sorry, we probably made a mistake, and this is a bug.

Server version: 10.11.19-MariaDB-0+deb12u1 source revision: 5843d8475120241667a7ce0f8a1abb6c9b43a273
/usr/sbin/mariadbd(my_print_stacktrace+0x2e)[0x56479198887e]
x86/libc-start.c:74(__libc_start_call_main)[0x7f7f4a64524a]"""
NGINX_JSON = {
    "event.id": "5f0c1fca4b8a1e7c9d2b3a4c5d6e7f80",
    "@timestamp": "2026-11-27T18:05:17.250Z",
    "log.level": "info",
    "message": "GET /jobs: 200",
    "log.logger": "nginx.access",
    "service.name": "nginx",
    "host.name": "proxy",
    "process.pid": 812,
    "event.duration": 12000000,
    "event.outcome": "success",
    "source.address": "2001:db8::7",
    "url.path": "/jobs",
    "http.request.method": "GET",
    "http.response.status_code": 200,
}

LINES: list[tuple[str, str, list[dict[str, Any]]]] = [
    (
        "nginx.access",
        COMBINED,
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": "GET /: 401",
                "log.level": "info",
                "service.name": "nginx",
                "event.outcome": "failure",
                "source.address": "127.0.0.1",
                "http.request.method": "GET",
                "http.version": "1.1",
                "http.response.status_code": 401,
                "http.response.body.bytes": 179,
                "url.path": "/",
                "user_agent.original": "curl/7.88.1",
            }
        ],
    ),
    (
        "nginx.access",
        r'::1 - - [27/Nov/2026:14:24:55 -0330] "GET /n%c3%b6?token=s%20x HTTP/1.1" 404 153 "https://x.test/?q=1" '
        r'"a \x22quoted\x22 one \x5C back"',
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": "GET /n%c3%b6: 404",
                "log.level": "info",
                "service.name": "nginx",
                "event.outcome": "failure",
                "source.address": "::1",
                "http.request.method": "GET",
                "http.request.referrer": "https://x.test/",
                "http.version": "1.1",
                "http.response.status_code": 404,
                "http.response.body.bytes": 153,
                "url.path": "/n%c3%b6",
                "user_agent.original": r"a \x22quoted\x22 one \x5C back",
            }
        ],
    ),
    (
        "nginx.access",
        '127.0.0.1 - ada [27/Nov/2026:17:54:57 +0000] "GET /in/ HTTP/1.1" 200 153 "-" "-"',
        [
            {
                "@timestamp": "2026-11-27T17:54:57.000Z",
                "message": "GET /in/: 200",
                "log.level": "info",
                "service.name": "nginx",
                "event.outcome": "success",
                "source.address": "127.0.0.1",
                "user.name": "ada",
                "http.request.method": "GET",
                "http.version": "1.1",
                "http.response.status_code": 200,
                "http.response.body.bytes": 153,
                "url.path": "/in/",
            }
        ],
    ),
    (
        "nginx.access",
        r'127.0.0.1 - - [27/Nov/2026:18:55:09 +0100] "\x16\x03\x01\x00\xA5" 400 157 "-" "-"',
        [
            {
                "@timestamp": "2026-11-27T17:55:09.000Z",
                "message": "no HTTP request: 400",
                "log.level": "info",
                "service.name": "nginx",
                "event.outcome": "failure",
                "source.address": "127.0.0.1",
                "http.response.status_code": 400,
                "http.response.body.bytes": 157,
            }
        ],
    ),
    (
        "nginx.access",
        '127.0.0.1 - - [27/Nov/2026:18:55:11 +0100] "" 400 0 "-" ""',
        [
            {
                "@timestamp": "2026-11-27T17:55:11.000Z",
                "message": "no HTTP request: 400",
                "log.level": "info",
                "service.name": "nginx",
                "event.outcome": "failure",
                "source.address": "127.0.0.1",
                "http.response.status_code": 400,
                "http.response.body.bytes": 0,
            }
        ],
    ),
    ("nginx.access", json.dumps(NGINX_JSON), [NGINX_JSON]),
    (
        "nginx.access",
        '{"@timestamp":"2026-11-27T18:05:17.250Z","mess',
        [
            {
                "@timestamp": ARRIVED,
                "message": '{"@timestamp":"2026-11-27T18:05:17.250Z","mess',
                "event.original": '{"@timestamp":"2026-11-27T18:05:17.250Z","mess',
                "tags": ["skerry_unreadable"],
            }
        ],
    ),
    (
        "nginx.error",
        FAILED,
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": "connect() failed (111: Connection refused) while connecting to upstream",
                "log.level": "error",
                "service.name": "nginx",
                "process.pid": 9895,
                "source.address": "127.0.0.1",
                "http.request.method": "POST",
                "url.path": "/dead",
                "url.domain": "127.0.0.1:18461",
                "skerry.front": "127.0.0.1:9",
            }
        ],
    ),
    (
        "nginx.error",
        '2026/11/27 23:24:55 [error] 9895#9895: *2 open() "/srv/www/nö" failed (2: No such file or directory), '
        'client: ::1, server: trial.test, request: "GET /n%c3%b6?token=s%20x HTTP/1.1", host: "[::1]:18461", '
        'referrer: "https://x.test/?q=1"',
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": 'open() "/srv/www/nö" failed (2: No such file or directory)',
                "log.level": "error",
                "service.name": "nginx",
                "process.pid": 9895,
                "source.address": "::1",
                "http.request.method": "GET",
                "url.path": "/n%c3%b6",
                "url.domain": "[::1]:18461",
            }
        ],
    ),
    (
        "nginx.error",
        '2026/11/27 23:24:55 [error] 9895#9895: *6 open() "/srv/www/a"b" failed (2: No such file or directory), '
        'client: 127.0.0.1, server: trial.test, request: "GET /a"b HTTP/1.1", host: "127.0.0.1:18461"',
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": 'open() "/srv/www/a"b" failed (2: No such file or directory)',
                "log.level": "error",
                "service.name": "nginx",
                "process.pid": 9895,
                "source.address": "127.0.0.1",
                "http.request.method": "GET",
                "url.path": "/a",
                "url.domain": "127.0.0.1:18461",
            }
        ],
    ),
    (
        # What a client puts into its path is not taken for what nginx says of it.
        "nginx.error",
        '2026/11/27 23:24:55 [error] 9895#9895: *7 open() "/srv/www/x, client: 192.0.2.1, server: y" failed '
        "(2: No such file or directory), client: 127.0.0.1, server: trial.test, "
        'request: "GET /x,%20client:%20192.0.2.1,%20server:%20y HTTP/1.1", host: "trial.test"',
        [
            {
                "@timestamp": "2026-11-27T17:54:55.000Z",
                "message": 'open() "/srv/www/x, client: 192.0.2.1, server: y" failed (2: No such file or directory)',
                "log.level": "error",
                "service.name": "nginx",
                "process.pid": 9895,
                "source.address": "127.0.0.1",
                "http.request.method": "GET",
                "url.path": "/x,%20client:%20192.0.2.1,%20server:%20y",
                "url.domain": "trial.test",
            }
        ],
    ),
    (
        "nginx.error",
        "2026/11/27 23:24:56 [notice] 9893#9893: signal 15 (SIGTERM) received from 6725, exiting",
        [
            {
                "@timestamp": "2026-11-27T17:54:56.000Z",
                "message": "signal 15 (SIGTERM) received from 6725, exiting",
                "log.level": "notice",
                "service.name": "nginx",
                "process.pid": 9893,
            }
        ],
    ),
    (
        # A client asked for a path with a line break in it, which nginx writes as it is.
        "nginx.error",
        '2026/11/27 00:00:00 [crit] x" failed (2: No such file or directory), client: 127.0.0.1, server: trial.test',
        [
            {
                "@timestamp": ARRIVED,
                "message": '2026/11/27 00:00:00 [crit] x" failed (2: No such file or directory), client: 127.0.0.1, '
                "server: trial.test",
                "event.original": '2026/11/27 00:00:00 [crit] x" failed (2: No such file or directory), '
                "client: 127.0.0.1, server: trial.test",
                "tags": ["skerry_unreadable"],
            }
        ],
    ),
    (
        "mysql.error",
        "2026-11-27 23:29:33 7 [Warning] Access denied for user 'nobödy'@'127.0.0.1' (using password: YES)",
        [
            {
                "@timestamp": "2026-11-27T17:59:33.000Z",
                "message": "Access denied for user 'nobödy'@'127.0.0.1' (using password: YES)",
                "log.level": "warning",
                "service.name": "mysql",
                "process.thread.id": 7,
            }
        ],
    ),
    (
        "mysql.error",
        "2026-11-27  9:29:30 0 [Note] InnoDB: End of log at LSN=44760\n"
        "2026-11-27 23:29:32 0 [Note] /usr/sbin/mariadbd: ready for connections.\n"
        "Version: '10.11.19-MariaDB-0+deb12u1'  socket: '/run/mysqld/mysqld.sock'  port: 53503  Debian 12\n" + CRASH,
        [
            {
                "@timestamp": "2026-11-27T03:59:30.000Z",
                "message": "End of log at LSN=44760",
                "log.level": "note",
                "log.logger": "InnoDB",
                "service.name": "mysql",
                "process.thread.id": 0,
            },
            {
                "@timestamp": "2026-11-27T17:59:32.000Z",
                "message": "/usr/sbin/mariadbd: ready for connections.\nVersion: '10.11.19-MariaDB-0+deb12u1'  socket: "
                "'/run/mysqld/mysqld.sock'  port: 53503  Debian 12",
                "log.level": "note",
                "service.name": "mysql",
                "process.thread.id": 0,
            },
            {
                "@timestamp": "2026-11-27T17:59:34.000Z",
                "message": CRASH.partition("[ERROR] ")[2],
                "log.level": "error",
                "service.name": "mysql",
            },
        ],
    ),
    (
        # As MySQL's manual shows it; MySQL was not run for this.
        "mysql.error",
        "2026-11-27T17:59:33.123456Z 8 [Warning] [MY-010055] [Server] IP address '192.0.2.7' could not be resolved",
        [
            {
                "@timestamp": "2026-11-27T17:59:33.123Z",
                "message": "IP address '192.0.2.7' could not be resolved",
                "log.level": "warning",
                "log.logger": "Server",
                "event.code": "010055",
                "service.name": "mysql",
                "process.thread.id": 8,
            }
        ],
    ),
    (
        "rabbitmq.log",
        "2026-11-27 14:33:33.105502-03:30 [error] <0.784.0> Error in process <0.784.0> on node test@localhost with "
        "exit value:\n"
        '2026-11-27 14:33:33.105502-03:30 [error] <0.784.0> {{boom,"a\\nb"},[{erl_eval,do_apply,7,[]}]}\n'
        "2026-11-27 14:33:33.105502-03:30 [error] <0.784.0> \n"
        "2026-11-27 18:00:04.677160+00:00 [warning] <0.788.0> grün",
        [
            {
                "@timestamp": "2026-11-27T18:03:33.105Z",
                "message": "Error in process <0.784.0> on node test@localhost with exit value:",
                "log.level": "error",
                "service.name": "rabbitmq",
                "process.name": "<0.784.0>",
            },
            {
                "@timestamp": "2026-11-27T18:03:33.105Z",
                "message": '{{boom,"a\\nb"},[{erl_eval,do_apply,7,[]}]}',
                "log.level": "error",
                "service.name": "rabbitmq",
                "process.name": "<0.784.0>",
            },
            {
                "@timestamp": "2026-11-27T18:00:04.677Z",
                "message": "grün",
                "log.level": "warning",
                "service.name": "rabbitmq",
                "process.name": "<0.788.0>",
            },
        ],
    ),
    (
        "supervisor.log",
        "2026-11-27 23:31:36,700 CRIT Supervisor is running as root.\n"
        "2026-11-27 23:31:37,713 INFO spawned: 'quick' with pid 5333\n"
        "2026-11-27 23:31:37,729 WARN exited: quick (exit status 1; not expected)\n"
        "2026-11-27 23:31:37,732 DEBG received SIGCHLD indicating a child quit\n"
        "Traceback (most recent call last):",
        [
            {
                "@timestamp": "2026-11-27T18:01:36.700Z",
                "message": "Supervisor is running as root.",
                "log.level": "critical",
                "service.name": "supervisor",
            },
            {
                "@timestamp": "2026-11-27T18:01:37.713Z",
                "message": "spawned: 'quick' with pid 5333",
                "log.level": "info",
                "service.name": "supervisor",
            },
            {
                "@timestamp": "2026-11-27T18:01:37.729Z",
                "message": "exited: quick (exit status 1; not expected)",
                "log.level": "warning",
                "service.name": "supervisor",
            },
            {
                "@timestamp": "2026-11-27T18:01:37.732Z",
                "message": "received SIGCHLD indicating a child quit",
                "log.level": "debug",
                "service.name": "supervisor",
            },
            {
                "@timestamp": ARRIVED,
                "message": "Traceback (most recent call last):",
                "event.original": "Traceback (most recent call last):",
                "tags": ["skerry_unreadable"],
            },
        ],
    ),
]
"""What a program wrote, and what becomes of it."""
