"""One mail to one server of outgoing mail: encrypted, to a checked address, bounded in time."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from propexo_connect.connection.endpoints import EmailConfig, Security
from propexo_connect.events.outcome import Outcome, Verdict, failed
from propexo_connect.http.addresses import Resolver, granted, resolve
from propexo_connect.model.errors import ConfigurationError, ConnectError, CredentialsRefused, Unreachable


def letter(
    sender: str, recipients: Sequence[str], subject: str, text: str, message_id: str, sent_at: datetime
) -> EmailMessage:
    """A plain mail; the event's id is in its Message-ID, so that mail programs know a second copy."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(recipients)
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].strip('> ')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def send(
    server: EmailConfig,
    mail: EmailMessage,
    resolver: Resolver = resolve,
    ssl_context: ssl.SSLContext | None = None,
) -> Outcome:
    """Hand the mail over once.

    Refusals of recipients or of the sender are tried again like anything else: addresses get repaired.
    """
    try:
        return _hand_over(server, mail, resolver, ssl_context or ssl.create_default_context())
    except ConnectError as error:
        return failed(error)
    except smtplib.SMTPAuthenticationError as error:
        refused = CredentialsRefused(f"{server.host} does not accept user and password")
        return _with_code(failed(refused), error.smtp_code)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        problem = f"{server.host} refuses all recipients ({', '.join(map(str, codes))})"
        return Outcome(Verdict.AGAIN, codes[0] if codes else None, problem)
    except smtplib.SMTPResponseException as error:
        return Outcome(Verdict.AGAIN, error.smtp_code, f"{server.host} answered {error.smtp_code}")
    except smtplib.SMTPException as error:
        # Its text may repeat what the server said.
        return failed(Unreachable(f"{server.host} broke off: {type(error).__name__}"))
    except ssl.SSLCertVerificationError as error:
        return failed(ConfigurationError(f"the certificate is not trusted: {error.verify_message}"))
    except OSError as error:
        return failed(Unreachable(f"{server.host} does not answer: {error.strerror or type(error).__name__}"))


def _hand_over(
    server: EmailConfig, mail: EmailMessage, resolver: Resolver, context: ssl.SSLContext
) -> Outcome:
    with _Guarded(server, resolver, context) as link:
        if server.security is Security.STARTTLS:
            link.starttls(context=context)
        if server.user is not None and server.password is not None:
            link.login(server.user, server.password.get_secret_value())
        refused = link.send_message(mail)
    if refused:
        # The others have it: a second mail to all would be worse than one that is missing.
        return Outcome(Verdict.DELIVERED, 250, f"{len(refused)} of the recipients were refused")
    return Outcome(Verdict.DELIVERED, 250)


class _Guarded(smtplib.SMTP):
    """A session with a server whose address was checked, and with that address alone."""

    def __init__(self, server: EmailConfig, resolver: Resolver, context: ssl.SSLContext) -> None:
        self._server = server
        self._resolver = resolver
        self._context = context
        super().__init__(server.host, server.port, timeout=server.timeout.total_seconds())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        is_encrypted = self._server.security is not Security.NONE
        found = granted(
            host,
            port,
            self._resolver,
            is_encrypted=is_encrypted,
            allow_private=self._server.allow_private_addresses,
        )
        failure: OSError | None = None
        for place in found:
            try:
                link = socket.create_connection((place, port), timeout)
            except OSError as error:
                failure = error
                continue
            if self._server.security is not Security.TLS:
                return link
            try:
                return self._context.wrap_socket(link, server_hostname=host)
            except BaseException:
                link.close()
                raise
        raise failure or Unreachable(f"{host} has no address")


def _with_code(outcome: Outcome, code: int) -> Outcome:
    return Outcome(outcome.verdict, code, outcome.problem)
