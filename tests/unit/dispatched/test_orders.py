"""Orders on a machine without an agent: put in place, swept, taken away, each as often as it is asked for."""

from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec
import pytest

from node_scripts.dispatched import orders
from node_scripts.dispatched.figures import measure
from node_scripts.dispatched.places import OrderPlace, Places, Staged
from node_scripts.running.interface import Ended
from node_scripts.running.rooms import FolderLock, write_record
from wire.messages import AppRef, Cause, Order, OutputFile

VERSION = "a" * 64
KIT = Path("/nowhere/kit.pyz")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path / "root")
    made.make()
    (made.state / "attempts").mkdir()
    return made


def send(places: Places, key: str, serial: int, *, app: bool = True) -> OrderPlace:
    """What the plays put into `incoming`."""
    place = places.order(key)
    order = Order(job=place.job, attempt=place.attempt, app=AppRef("a", VERSION), input=f"inputs/{place.job}/in.csv")
    place.incoming_order.write_bytes(msgspec.json.encode(Staged(order, 0, serial)))
    place.incoming_input.write_text("1,2")
    if app:
        folder = places.root / "packing"
        (folder / "sub").mkdir(parents=True, exist_ok=True)
        (folder / "main.py").write_text("print(1)")
        (folder / "main.py").chmod(0o755)
        with tarfile.open(places.incoming / f"{VERSION}.tar", "w") as archive:
            for child in folder.iterdir():
                archive.add(child, arcname=child.name)
    return place


def test_what_was_sent_is_put_in_place_once(places: Places) -> None:
    assert orders.has(places, "j.1", VERSION, 5) == {"app": False, "order": False}
    place = send(places, "j.1", 5)
    orders.stage(places, "j.1", KIT)
    orders.stage(places, "j.1", KIT)
    staged = place.staged()
    assert staged is not None
    assert staged.serial == 5
    assert (places.apps / VERSION / "main.py").stat().st_mode & 0o777 == 0o700
    assert (places.apps / VERSION / "sub").is_dir()
    assert (places.share / "inputs" / "j" / "in.csv").read_text() == "1,2"
    assert list(places.incoming.iterdir()) == []
    assert orders.has(places, "j.1", VERSION, 5) == {"app": True, "order": True}
    assert orders.has(places, "j.1", VERSION, 6) == {"app": True, "order": False}


def test_a_later_sending_takes_the_place_of_an_earlier_one_and_no_other_way_round(places: Places) -> None:
    place = send(places, "j.1", 5)
    orders.stage(places, "j.1", KIT)
    write_record(place.end, Ended(Cause.CANCELLED))
    send(places, "j.1", 4)
    orders.stage(places, "j.1", KIT)
    assert place.ended() is not None
    send(places, "j.1", 6)
    orders.stage(places, "j.1", KIT)
    assert place.ended() is None
    staged = place.staged()
    assert staged is not None
    assert staged.serial == 6


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_an_archive_that_leads_out_is_refused(places: Places, name: str, tmp_path: Path) -> None:
    send(places, "j.1", 1, app=False)
    with tarfile.open(places.incoming / f"{VERSION}.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises((orders.Refused, OSError, ValueError)):
        orders.stage(places, "j.1", KIT)
    assert not (places.root / "out").exists()
    assert not (tmp_path / "out").exists()
    assert places.order("j.1").staged() is None


def test_a_link_in_an_archive_is_refused(places: Places) -> None:
    send(places, "j.1", 1, app=False)
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(places.incoming / f"{VERSION}.tar", "w") as archive:
        archive.addfile(link)
    with pytest.raises(orders.Refused, match="something that is no file"):
        orders.stage(places, "j.1", KIT)


@pytest.mark.parametrize("key", ["", "j", "j.x", "../j.1", "j/1.1", ".1"])
def test_a_key_is_no_path(places: Places, key: str) -> None:
    with pytest.raises(ValueError, match="names no attempt"):
        places.order(key)


def test_a_sweep_takes_away_what_nobody_holds_and_nothing_that_was_sent_since(places: Places) -> None:
    for key, serial in (("held.1", 1), ("old.1", 2), ("new.1", 9)):
        send(places, key, serial)
        orders.stage(places, key, KIT)
        write_record(places.order(key).end, Ended(Cause.OK))
    assert orders.sweep(places, {"held.1"}, 5, KIT) == 0
    assert [place.key for place in places.all_orders()] == ["held.1", "new.1"]
    assert not (places.share / "inputs" / "old").exists()


def test_what_still_runs_is_told_to_end_and_stays_until_it_has(places: Places) -> None:
    place = send(places, "j.1", 1)
    orders.stage(places, "j.1", KIT)
    lock = FolderLock.try_take(place.host)
    assert lock is not None
    assert orders.discard(places, "j.1", 2, KIT, wait_s=0.1) is False
    assert place.cancel.exists()
    assert place.staged() is not None
    lock.close()
    assert orders.discard(places, "j.1", 2, KIT, wait_s=0.1) is True
    assert not place.folder.exists()


def test_results_are_handed_out_and_may_be_asked_for_again(places: Places) -> None:
    place = send(places, "j.1", 1)
    orders.stage(places, "j.1", KIT)
    with pytest.raises(orders.Refused, match="has not ended"):
        orders.collect(places, "j.1", 0)
    place.results.mkdir(parents=True)
    (place.results / "p.csv").write_text("x")
    write_record(place.end, Ended(Cause.OK, "", 0, (OutputFile("p.csv", 1, "f" * 64),)))
    owner = place.results.stat().st_uid
    for _ in range(2):
        told = orders.collect(places, "j.1", owner)
        assert [one["name"] for one in told] == ["p.csv"]
        assert Path(told[0]["path"]).read_text() == "x"


def test_a_machine_is_one_node(tmp_path: Path) -> None:
    places = Places(tmp_path / "other")
    assert orders.take(places, "far") is True
    assert orders.take(places, "far") is False
    with pytest.raises(orders.Refused, match="is the node far already"):
        orders.take(places, "near")


def test_leaving_takes_everything(places: Places) -> None:
    send(places, "j.1", 1)
    orders.stage(places, "j.1", KIT)
    assert orders.leave(places, KIT)
    assert not places.root.exists()


def test_this_machine_can_be_measured(places: Places) -> None:
    told = measure(places)
    assert told["cpu_count"] is not None
    assert told["cpu_count"] >= 1
    assert told["events_per_second"] is None
    assert 0 <= (told["free_cpu_percent"] or 0) <= 100
    assert 0 < (told["free_memory_gb"] or 0) < (told["memory_gb"] or 0)
