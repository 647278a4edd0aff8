"""What is raised of a process that died: known to whoever tells the user, and needs none of what starts processes."""


class ProcessDiedError(Exception):
    """A process that ran a request was ended from outside; the message says what to do."""

    def __init__(self, remedy: str = "--workers 1 or a smaller --scale needs less") -> None:
        super().__init__(f"a process died (out of memory?); {remedy}")
