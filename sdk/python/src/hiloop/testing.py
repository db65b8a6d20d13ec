"""The side of people, for tests and bots: `Person` and `AsyncPerson`."""

from ._async.person import AsyncPerson
from ._sync.person import Person
from .respondent import Question

__all__ = ["AsyncPerson", "Person", "Question"]
