"""Apps: showing and uploading them."""

from __future__ import annotations

import bottle

from webfront.api.bodies import no_content, reply
from webfront.api.operations import File, Form, Operation
from webfront.apps.views import AppView, Uploaded
from webfront.errors import InvalidInput
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/api/v1/apps", operation=Operation("The apps", {200: {"apps": list[AppView]}}))
    def index() -> bytes:
        return reply(apps=services.apps.list())

    @app.get(
        "/api/v1/apps/<name>", operation=Operation("An app with its versions, newest first", {200: {"app": AppView}})
    )
    def show(name: str) -> bytes:
        return reply(app=services.apps.get(name))

    @app.post(
        "/api/v1/apps",
        action="app.upload",
        operation=Operation(
            "Upload a zip or a .py; 200 when this content is there already",
            {201: Uploaded, 200: Uploaded},
            form=Form({"file": File, "name": str}, required=("file",)),
        ),
    )
    def upload() -> bytes:
        file = bottle.request.files.get("file")
        if file is None:
            raise InvalidInput("Send the app as the field `file` of a multipart form.")
        name = bottle.request.forms.getunicode("name") or None
        done = services.apps.upload(identity().account, file.file, file_name=file.raw_filename, name=name)
        actions.note("skerry.app", done.app)
        actions.note("skerry.app_version", done.version)
        return reply(code=201 if done.created else 200, app=done.app, version=done.version, created=done.created)

    @app.delete(
        "/api/v1/apps/<name>",
        action="app.delete",
        operation=Operation("Delete an app with all its versions; 409 while a job or a schedule uses it", {204: None}),
    )
    def delete(name: str) -> str:
        actions.note("skerry.app", name)
        services.apps.delete(identity().account, name)
        return no_content()

    @app.delete(
        "/api/v1/apps/<name>/versions/<version>",
        action="version.delete",
        operation=Operation(
            "Delete a version that is not the only one; 409 while a job or a schedule uses it", {204: None}
        ),
    )
    def delete_version(name: str, version: str) -> str:
        actions.note("skerry.app", name)
        actions.note("skerry.app_version", version[:64])
        services.apps.delete_version(identity().account, name, version)
        return no_content()
