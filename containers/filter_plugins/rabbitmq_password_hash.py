"""In the place of the role's filter: the password is not known while an image is made. containers/broker puts it in."""

from __future__ import annotations

from collections.abc import Callable


def rabbitmq_password_hash(_password: str, _user: str) -> str:
    return "@PASSWORD_HASH@"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"rabbitmq_password_hash": rabbitmq_password_hash}
