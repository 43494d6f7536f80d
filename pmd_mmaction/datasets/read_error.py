"""Why a video cannot be read, in one line."""


def reason_of(error: Exception) -> str:
    """Type and first line of an error; decord's messages contain a stack trace."""
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0][:200]}'
