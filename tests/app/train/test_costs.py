"""The desk that works out what runs take, with a clock and answers of the test's own."""

import threading
from collections.abc import Iterator

import pytest

from ui.train.costs import FRESH_SECONDS, MOST_WAITING, Desk


class Asked:
    """A desk that is held up with the question "first" until `go_on`; `done` are its answers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.desk = Desk(self.answer, clock=lambda: self.now)

    def answer(self, question: str) -> str:
        if question == "first" and not self.done:
            self.has_begun.set()
            assert self.may_go_on.wait(timeout=30)
        if question == "impossible":
            raise ValueError("it cannot be")
        self.done.append(question)
        return f"{question} {self.now:g}"

    def ask(self, *questions: str) -> None:
        for question in questions:
            assert self.desk.ask(question) is None

    def finish(self) -> None:
        self.may_go_on.set()
        self.desk.worker.submit(int).result(timeout=30)


@pytest.fixture
def asked() -> Iterator[Asked]:
    found = Asked()
    found.ask("first")
    assert found.has_begun.wait(timeout=30)
    yield found
    found.may_go_on.set()
    found.desk.worker.shutdown()


def test_the_newest_request_comes_first_and_a_repeated_one_is_made_once(asked: Asked) -> None:
    asked.ask("a", "b", "a", "first")
    asked.finish()
    assert asked.done == ["first", "a", "b"]
    answer = asked.desk.ask("b")
    assert answer is not None
    assert answer.result() == "b 0"


def test_of_many_requests_the_oldest_are_dropped_and_may_be_asked_again(asked: Asked) -> None:
    many = [str(number) for number in range(MOST_WAITING + 3)]
    asked.ask(*many)
    asked.finish()
    assert asked.done == ["first", *reversed(many[3:])]
    asked.ask("0")
    asked.finish()
    assert asked.done[-1] == "0"


def test_an_old_answer_is_shown_while_a_new_one_is_made(asked: Asked) -> None:
    asked.finish()
    asked.now = FRESH_SECONDS + 1
    old = asked.desk.ask("first")
    assert old is not None
    assert old.result() == "first 0"
    asked.finish()
    new = asked.desk.ask("first")
    assert new is not None
    assert new.result() == f"first {asked.now:g}"


def test_a_refusal_reaches_whoever_asked_and_the_next_one_is_served(asked: Asked) -> None:
    asked.ask("impossible", "possible")
    asked.finish()
    answer = asked.desk.ask("impossible")
    assert answer is not None
    with pytest.raises(ValueError, match="it cannot be"):
        answer.result()
    assert "possible" in asked.done
