"""Every error a caller may be told about, and what it means over HTTP.

AppError                       500
├── BadRequest                 400  a value is missing or not one of ours
├── NotFound                   404  absent, or not the caller's
├── Conflict                   409  the resource is in the wrong state
│   └── BudgetRefused          409  the budget never allows this call
├── TooLarge                   413  more bytes than allowed
├── InvalidInput               422  well formed, but not acceptable
│   ├── UnreadableMedia        422  not a recording that can be decoded
│   └── UnreadableDocument     422  not a PDF that can be read
├── Unavailable                503  a part of Pegasus is down for now; try again
│   └── BudgetExhausted        503  today's budget is used up; go on tomorrow
└── ProviderError              502  an outside service refused; do not try again
    ├── ProviderAuthError      502  the key or the permission is wrong
    └── ProviderUnavailable    503  an outside service failed for now; try again
        └── ProviderBusy       503  it said "too many requests"; waiting is free

``code`` is the stable name for machines: it stands in the error document's
``error.code`` and in the ``error_code`` of a failed job.
"""


class AppError(Exception):
    """Base of all errors that have a meaning outside the code.

    The first line of the class docstring is the default message.
    """

    status = 500
    retryable = False
    code = "internal_error"
    retry_after_seconds: float | None = None  # when trying again is worth it, if known
    # For machines, beside the code
    details: list[dict[str, object]] | dict[str, object] | None = None

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").partition("\n")[0])
        if code is not None:
            self.code = code


class BadRequest(AppError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class NotFound(AppError):
    """No such resource."""

    status = 404
    code = "not_found"


class Conflict(AppError):
    """The resource is not in a state that allows this."""

    status = 409
    code = "conflict"


class BudgetRefused(Conflict):
    """The daily budget does not allow this call on any day.

    Codes: ``budget_too_small``, ``price_unknown``.
    """

    code = "budget_too_small"


class TooLarge(AppError):
    """The request carries more bytes than are allowed."""

    status = 413
    code = "too_large"


class InvalidInput(AppError):
    """The request cannot be accepted."""

    status = 422
    code = "invalid_input"


class UnreadableMedia(InvalidInput):
    """The file is not a recording that can be decoded.

    Codes: ``media_unreadable``, ``media_empty``, ``media_no_audio``,
    ``media_no_picture``, ``media_mislabelled``, ``media_truncated``,
    ``media_too_long``, ``media_unsupported``.
    """

    code = "media_unreadable"


class UnreadableDocument(InvalidInput):
    """The file is not a PDF that can be read.

    Codes: ``document_unreadable``, ``document_encrypted``, ``document_empty``,
    ``document_too_long``, ``document_no_text``.
    """

    code = "document_unreadable"


class Unavailable(AppError):
    """The service is not available for now; try again shortly."""

    status = 503
    retryable = True
    code = "unavailable"


class BudgetExhausted(Unavailable):
    """Today's budget for outside services is used up.

    ``retry_after_seconds`` is the time until the next day. Not counted as an attempt.
    """

    code = "budget_exhausted"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ProviderError(AppError):
    """An outside service refused the request.

    ``may_cost`` is False where the service surely charges nothing for the call.
    """

    status = 502
    code = "provider_rejected"
    may_cost = True


class ProviderAuthError(ProviderError):
    """An outside service refused our key; an operator must act."""

    code = "provider_auth"
    may_cost = False


class ProviderUnavailable(ProviderError):
    """An outside service is not available for now."""

    status = 503
    retryable = True
    code = "provider_unavailable"


class ProviderBusy(ProviderUnavailable):
    """An outside service asks us to slow down.

    ``retry_after_seconds`` is what it asked for, or None. Not counted as an attempt.
    """

    code = "provider_busy"
    may_cost = False

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
