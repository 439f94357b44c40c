"""What the trainer says when a call or its input cannot be used."""

from __future__ import annotations


class TrainerError(Exception):
    """The call or its input cannot be used; `python -m trainer` prints it and exits with 2.

    Args:
        what: what is wrong, with the offending value.
        where: the file, option or variable that holds it; "" where `what` names it.
        remedy: what to do next; "" where nothing can be done.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text
