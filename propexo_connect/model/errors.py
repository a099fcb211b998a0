"""Every error the product raises on purpose, ordered by who acts on it.

ConnectError
├── RetryableError            the scheduler may try again
│   ├── Unreachable           no answer: connect, read, DNS, cut connection
│   ├── RateLimited           the vendor asks to slow down
│   ├── VendorFault           5xx, undecodable or contradictory answer
│   ├── DestinationBusy       the file or table is held by somebody else
│   ├── PartlyRead            some parents could not be read through; the others are stored
│   └── Stalled               no progress within the set time
└── TerminalError             a person must act; never retried
    ├── ConfigurationError    fix the connection file
    │   ├── UnknownName       a stream, field, table, zone or connector that does not exist
    │   └── MissingSecret     an environment variable that is not set
    ├── CredentialsRefused    fix the credentials
    ├── PermissionRefused     grant the right
    ├── DataError             look at the data
    │   ├── FileMismatch      a file is not what its name says
    │   ├── NoKey             a table or record set without a key
    │   ├── DriftRefused      the schema changed under the policy `fail`
    │   └── SuspiciousEmpty   an empty read where there were records
    ├── SpaceExhausted        disk or memory of the destination is full
    ├── Fenced                a newer sync has taken the lane over
    └── Defect                report it to us
"""


class ConnectError(Exception):
    """What went wrong, said for the person who reads it.

    The text is one paragraph: where, what was expected, what was found, what to do.
    None of the parts may carry a secret, a whole body or a query string.
    """

    retryable = False

    def __init__(self, found: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.found = found
        self.where = where
        self.expected = expected
        self.remedy = remedy
        super().__init__(found)

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}" if self.where else self.found
        for part in (f"Expected: {self.expected}" if self.expected else "", self.remedy):
            if part:
                text = f"{text.rstrip('.')}. {part}"
        return text if text.endswith((".", "!", "?")) else f"{text}."

    def at(self, where: str) -> "ConnectError":
        """The same error with its place named, unless it names one already."""
        self.where = self.where or where
        return self

    @property
    def name(self) -> str:
        """The class of the error, as it stands in summaries and metadata."""
        return type(self).__name__


class RetryableError(ConnectError):
    """Something that may pass by itself."""

    retryable = True


class Unreachable(RetryableError):
    """No answer came, or it was cut off."""


class RateLimited(RetryableError):
    """The vendor asks to slow down.

    `retry_after_s` is what the vendor asked for, None when it did not say.
    """

    def __init__(
        self, found: str, *, retry_after_s: float | None = None, where: str = "", remedy: str = ""
    ) -> None:
        super().__init__(found, where=where, remedy=remedy)
        self.retry_after_s = retry_after_s


class VendorFault(RetryableError):
    """The vendor answered, and the answer cannot be used."""

    def __init__(
        self,
        found: str,
        *,
        retry_after_s: float | None = None,
        where: str = "",
        expected: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(found, where=where, expected=expected, remedy=remedy)
        self.retry_after_s = retry_after_s


class DestinationBusy(RetryableError):
    """The file or table is held by somebody else."""


class PartlyRead(RetryableError):
    """Some parents could not be read through; the others are stored, the tile stays open."""


class Stalled(RetryableError):
    """No progress within the time that was set."""


class TerminalError(ConnectError):
    """Something that a person must mend; repeating it changes nothing."""


class ConfigurationError(TerminalError):
    """The connection file, or what it refers to, is wrong."""


class UnknownName(ConfigurationError):
    """A name that does not exist where it was looked for."""


class MissingSecret(ConfigurationError):
    """An environment variable that a connection refers to is not set."""


class CredentialsRefused(TerminalError):
    """The system does not accept the credentials."""


class PermissionRefused(TerminalError):
    """The credentials are good and the right is missing."""


class DataError(TerminalError):
    """The data is not what the connection says it is."""


class FileMismatch(DataError):
    """A file is not what its name says."""


class NoKey(DataError):
    """Records that are to be merged have no key."""


class DriftRefused(DataError):
    """The schema changed and the connection's policy is `fail`."""


class SuspiciousEmpty(DataError):
    """A read came back empty where there were records before."""


class SpaceExhausted(TerminalError):
    """The destination has no room left."""


class Fenced(TerminalError):
    """A newer sync holds the lane; this one must not write any more."""


class Defect(TerminalError):
    """The product broke a promise of its own."""

    def __init__(self, found: str, *, where: str = "") -> None:
        super().__init__(
            found, where=where, remedy="Nothing was written; please report this with the sync's log."
        )
