"""What can go wrong while a model is pruned."""

from sparsetool_converters.errors import UsageError


class PruningError(UsageError):
    """A schedule, a block or a choice of variables that cannot be carried out as asked.

    Attributes:
        subject: what is at fault: the path of a variable, or the argument.
        problem: the rule that is broken, the value seen, and the way out.
    """

    def __init__(self, subject: str, problem: str) -> None:
        self.subject, self.problem = subject, problem
        super().__init__(f"{subject}: {problem}")
