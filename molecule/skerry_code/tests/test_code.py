"""What a service asks of its code: it is there whole, with its packages, for every user, and mended when it is not."""

from __future__ import annotations

from typing import Any

from support.converge import Converge

IMPORT = "PYTHONPATH=/opt/code /opt/venv/bin/python -c 'import node_scripts.agent, wire.broker; print(wire.__file__)'"


def test_an_ordinary_user_runs_it_with_its_packages(host: Any) -> None:
    assert host.check_output(IMPORT) == "/opt/code/wire/__init__.py"
    # And changes nothing of it.
    assert host.run("touch /opt/code/wire/another.py").rc != 0


def test_its_files_are_of_this_release_by_their_times(host: Any) -> None:
    # In the archive all have the same: a browser would take another release's script for the one that it has.
    assert host.run("find /opt/code/ -type f -not -newermt 2001-01-01").stdout == ""


def test_only_what_was_named_is_shipped(host: Any) -> None:
    assert sorted(host.check_output("ls /opt/code").split()) == ["node_scripts", "wire"]


def test_what_a_cut_off_run_left_is_made_anew(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "rm /opt/venv/.complete && rm -r /opt/venv/lib && rm -r $(readlink /opt/code)")
        host.run_expect([0], "mkdir $(readlink /opt/code).new && touch $(readlink /opt/code).new/half")
    assert Converge()().changed == ["Unpack the code", "Create the virtual environment"]
    assert host.check_output(IMPORT) == "/opt/code/wire/__init__.py"
    assert Converge()("--check").changed == []
