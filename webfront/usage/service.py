"""What faces ask about the platform's use: an administrator about everybody's, anybody else about their own.

The activity records in Elasticsearch answer where there is one, since they may be kept for longer, and the facts in the
database where there is none, or where it does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from webfront.accounts.policy import Act, may, require
from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.errors import ElasticUnavailable
from webfront.logs.asking import Asking
from webfront.usage import queries, records
from webfront.usage.questions import read_question
from webfront.usage.views import Answered, Question, Source


class UsageService:
    def __init__(self, asking: Asking, clock: Clock = system_clock) -> None:
        self._asking = asking
        self._clock = clock

    def ask(self, account: Account, asked: Mapping[str, str]) -> Answered:
        """The answer to what is asked in `questions.FIELDS`. InvalidInput, Forbidden."""
        question = read_question(asked, self._clock())
        if question.user:
            require(account, Act.SEE_EVERYBODYS_USE)
        if may(account, Act.SEE_EVERYBODYS_USE):
            return self._answer(question)
        own = self._answer(msgspec.structs.replace(question, user=account.name))
        return msgspec.structs.replace(own, question=question, usage=msgspec.structs.replace(own.usage, users=None))

    def _answer(self, question: Question) -> Answered:
        trouble = ""
        if self._asking.is_set_up:
            try:
                return Answered(question, records.answer(self._asking, question), Source.ELASTICSEARCH)
            except ElasticUnavailable as error:
                trouble = error.message
        return Answered(question, queries.answer(question), Source.DATABASE, trouble)
