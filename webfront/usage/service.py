"""What faces ask about the platform's use: an administrator about everybody's, anybody else about their own.

The activity records in Elasticsearch answer where there is one, since they may be kept for longer, and the facts in the
database where there is none, or where it does not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from webfront.accounts.policy import Act, may, require
from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.logs.engine import Engine, EngineError
from webfront.usage import queries, records
from webfront.usage.questions import read_question
from webfront.usage.views import Answered, Question, Source

_log = logging.getLogger(__name__)


class UsageService:
    def __init__(self, engine: Engine | None = None, clock: Clock = system_clock) -> None:
        self._engine = engine
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
        if self._engine is not None:
            try:
                return Answered(question, records.answer(self._engine, question), Source.ELASTICSEARCH)
            except EngineError as error:
                trouble = str(error)
                _log.warning("use is counted from the database: %s", error, extra={"event.action": "usage.count"})
        return Answered(question, queries.answer(question), Source.DATABASE, trouble)
