"""A block of Prefect's that sends notifications by mail.

Prefect imports this module for every command and in its server, as it does with all collections of blocks.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from typing import Literal

from prefect.blocks.abstract import NotificationBlock, NotificationError
from pydantic import Field, SecretStr

SECONDS = 30

Security = Literal["starttls", "tls", "none"]
USUAL_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Mail(NotificationBlock):
    """Sends notifications by mail, through one server."""

    _block_type_name = "Treadle Mail"
    _block_type_slug = "treadle-mail"

    host: str = Field(description="Name of the mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port: 587 for starttls, 465 for tls.")
    security: Security = Field("starttls", description="How the connection is encrypted.")
    user: str = Field("", description="User of the mail server; empty where it wants none.")
    password: SecretStr = Field(SecretStr(""), description="The user's password.")
    sender: str = Field(description="Address that mails come from.")
    recipients: list[str] = Field(min_length=1, description="Addresses that mails go to.")

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send a mail.

        Raises:
            NotificationError: The server did not take it; with its words.
        """
        try:
            await asyncio.to_thread(self._send, body, subject or "Treadle")
        except (OSError, smtplib.SMTPException) as error:
            raise NotificationError(f"{self.host}:{self.port} did not take the mail: {error}") from error

    def _send(self, body: str, subject: str) -> None:
        message = EmailMessage()
        message["Subject"] = " ".join(subject.split())
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message.set_content(body)
        with self._connection() as server:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password.get_secret_value())
            server.send_message(message)

    def _connection(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=SECONDS, context=ssl.create_default_context()
            )
        return smtplib.SMTP(self.host, self.port, timeout=SECONDS)
