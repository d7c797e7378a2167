"""Makes a release's folder; see README.md here. Called as: make.py RELEASE COMMIT.

Everything comes from the commit: its code, unpacked into a temporary folder, fills a new SQLite file and a new database
of a private MariaDB, and answers. Nothing of the present code takes part.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from support.mariadb import PrivateMariadb  # noqa: E402  the line before says where it is

PARTS = ("webfront", "wire", "node_scripts")
LOOKS = ("webfront/static/", "webfront/templates/")


def main(release: str, commit: str) -> None:
    folder = HERE / release
    with tempfile.TemporaryDirectory(prefix="skerry-release-") as temporary:
        work = Path(temporary)
        unpack(commit, work / "code")
        pack(work / "code", folder / "code.zip")
        answers = fill(folder, work, f"sqlite:///{work}/skerry.sqlite")
        (folder / "answers.json").write_text(one_a_line(answers))
        with sqlite3.connect(work / "skerry.sqlite") as connection:
            (folder / "sqlite.sql").write_text("\n".join(connection.iterdump()) + "\n")
        server = PrivateMariadb(work / "mariadb")
        server.start()
        try:
            # As Debian's server makes one that is not told how.
            server.run("CREATE DATABASE skerry CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
            same = fill(folder, work, server.url("skerry"), server.password_file)
            assert same == answers, "the release itself says different things on SQLite and MariaDB"
            (folder / "mariadb.sql").write_bytes(dump(server))
        finally:
            server.kill()


def unpack(commit: str, to: Path) -> None:
    archive = subprocess.run(
        ["git", "archive", commit, *PARTS, "tests/support/scratch.py"], cwd=PROJECT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(to, filter="data")


def pack(code: Path, to: Path) -> None:
    """The same bytes from the same files, whenever it is made."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(one for part in PARTS for one in (code / part).rglob("*") if one.is_file()):
            name = str(file.relative_to(code))
            if not name.startswith(LOOKS):
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)


def fill(folder: Path, work: Path, url: str, password_file: Path | None = None) -> dict[str, dict[str, object]]:
    path = f"{work}/code:{work}/code/tests"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "SKERRY_DATABASE_URL": url}
    if password_file is not None:
        environment["SKERRY_DATABASE_PASSWORD_FILE"] = str(password_file)
    done = subprocess.run(
        [sys.executable, str(folder / "fill.py"), "fill"], env=environment, cwd=work, check=True, stdout=subprocess.PIPE
    )
    answers: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answers


def one_a_line(answers: dict[str, dict[str, object]]) -> str:
    """JSON with a line for each address."""
    users = []
    for user, asked in answers.items():
        lines = ",\n".join(f"{json.dumps(path)}: {json.dumps(one, ensure_ascii=False)}" for path, one in asked.items())
        users.append(f"{json.dumps(user)}: {{\n{lines}\n}}")
    return "{" + ",\n".join(users) + "}\n"


def dump(server: PrivateMariadb) -> bytes:
    return subprocess.run(
        ["mariadb-dump", "--no-defaults", "--host=127.0.0.1", f"--port={server.port}", f"--user={server.user}",
         "--skip-comments", "--skip-dump-date", "--order-by-primary", "--skip-extended-insert", "skerry"],
        env={"PATH": os.environ["PATH"], "MYSQL_PWD": server.password}, check=True, capture_output=True,
    ).stdout  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
