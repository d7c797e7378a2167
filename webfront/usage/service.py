"""What faces ask about the platform's use: an administrator about everybody's, anybody else about their own."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from webfront.accounts.policy import Act, may, require
from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.usage.queries import answer
from webfront.usage.questions import read_question
from webfront.usage.views import Answered


class UsageService:
    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock

    def ask(self, account: Account, asked: Mapping[str, str]) -> Answered:
        """The answer to what is asked in `questions.FIELDS`. InvalidInput, Forbidden."""
        question = read_question(asked, self._clock())
        if question.user:
            require(account, Act.SEE_EVERYBODYS_USE)
        if may(account, Act.SEE_EVERYBODYS_USE):
            return Answered(question, answer(question))
        own = answer(msgspec.structs.replace(question, user=account.name))
        return Answered(question, msgspec.structs.replace(own, users=None))
