"""The pages of the apps: all, one with its versions, upload."""

from __future__ import annotations

from urllib.parse import quote

import bottle

from webfront.apps.manifest import Manifest
from webfront.apps.views import AppView, VersionView
from webfront.errors import InvalidInput, NotFound, SkerryError
from webfront.pages.rendering import CAUSES, duration, plural, refused, render, see_other
from webfront.web import actions, guard
from webfront.web.navigation import Nav
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    max_mb = services.settings.max_upload_mb

    @app.get("/apps", nav=Nav(30, "Apps"))
    def apps() -> str:
        return render("apps.html", apps=services.apps.list())

    @app.get("/apps/upload")
    def form() -> str:
        return render("upload.html", error=None, typed={"name": ""}, max_mb=max_mb)

    @app.post("/apps/upload", action="app.upload", upload=True)
    def upload() -> str | bottle.HTTPResponse:
        file, name = bottle.request.files.get("file"), bottle.request.forms.getunicode("name") or ""
        try:
            if file is None:
                raise InvalidInput("Choose the app's file first: a .zip, or a single .py.")
            done = services.apps.upload(
                guard.identity().account, file.file, file_name=file.raw_filename, name=name.strip() or None
            )
        except SkerryError as error:
            return refused(error, "upload.html", typed={"name": name}, max_mb=max_mb)
        actions.note("skerry.app", done.app)
        actions.note("skerry.app_version", done.version)
        return see_other(
            f"/apps/{quote(done.app)}?version={done.version[:12]}&uploaded={'new' if done.created else 'same'}"
        )

    @app.get("/apps/<name>")
    def one(name: str) -> str:
        found = services.apps.get(name)
        version = version_of(found, bottle.request.query.getunicode("version"))
        return render(
            "app.html",
            app=found,
            version=version,
            facts=manifest_words(version.manifest),
            jobs=services.jobs.list(guard.identity().account, app=name, limit=8),
            uploaded=bottle.request.query.get("uploaded", ""),
        )


def version_of(app: AppView, given: str | None) -> VersionView:
    """The version that begins with `given`, the newest without one. Raises `NotFound`."""
    if not given:
        return app.latest
    for version in app.versions:
        if len(given) >= 7 and version.version.startswith(given):
            return version
    raise NotFound(f"{app.name} has no version {given}. Its page lists those it has.")


def manifest_words(manifest: Manifest) -> list[tuple[str, str]]:
    """What the manifest says, as names and sentences for the app's page."""
    inputs, resources, needs = manifest.inputs, manifest.resources, manifest.needs
    kinds = " or ".join(inputs.accept) or "any file"
    words = [
        ("Input", f"needs one: {kinds}" if inputs.required else f"{kinds}, if you have one"),
        ("Output", ", ".join(manifest.outputs)),
        ("Starts with", manifest.entrypoint),
        ("Packages", f"those of {manifest.requirements}" if manifest.requirements else "none beside Python's own"),
        (
            "May use",
            f"{resources.memory_mb} MB of memory, {plural(resources.cpus, 'processor')}, "
            f"{resources.disk_mb} MB of disk, {duration(resources.timeout_s)}",
        ),
    ]
    if needs.labels:
        words.append(
            ("Needs", f"a node with the label{'s' if len(needs.labels) > 1 else ''} {', '.join(needs.labels)}")
        )
    if needs.arch:
        words.append(("Runs on", " or ".join(needs.arch)))
    if manifest.retries:
        told = (f"{plural(count, 'time')} when {CAUSES.get(cause, cause)}" for cause, count in manifest.retries.items())
        words.append(("Tried again", ", ".join(told)))
    return words
