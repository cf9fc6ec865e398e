"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: a bad config line, a missing file, a picture that won't decode.

    The message names the file, row, model or layer, says what was found, and what to do.
    Scripts and the command line print it without a traceback and exit with status 1.
    """
