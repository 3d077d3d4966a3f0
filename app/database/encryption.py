"""Encryption of what users entrust to us, under keys that can be rotated."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.models.secret import SecretCipher


class Cipher(SecretCipher):
    """Fernet. The first of the comma-separated keys encrypts, each of them decrypts."""

    def __init__(self, keys: str) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys.split(",")])

    def encrypt(self, text: str) -> bytes:
        """What may be stored; encrypting again gives something else."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, encrypted: bytes) -> str | None:
        """The text; None where none of the keys is the right one."""
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            return None
