import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.config import Settings
from app.database.encryption import Cipher
from app.doors import development_values

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_encrypted_is_decrypted(text: str) -> None:
    cipher = Cipher(NEW)
    encrypted = cipher.encrypt(text)
    assert cipher.decrypt(encrypted) == text
    assert cipher.encrypt(text) != encrypted


def test_the_first_key_encrypts_and_each_decrypts() -> None:
    rotated = Cipher(f"{NEW},{OLD}")
    assert rotated.decrypt(Cipher(OLD).encrypt("secret")) == "secret"
    assert Cipher(NEW).decrypt(rotated.encrypt("secret")) == "secret"
    assert Cipher(OLD).decrypt(rotated.encrypt("secret")) is None


def test_what_no_key_opens_is_none() -> None:
    assert Cipher(NEW).decrypt(b"garbage") is None


@pytest.mark.parametrize(
    "value",
    ["your-fernet-encryption-key-change-this", "short", f"{NEW},", f"{NEW};{OLD}", "é" * 44],
    ids=["placeholder", "short", "trailing comma", "semicolon", "not ASCII"],
)
def test_a_setting_that_is_no_list_of_keys_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(ValidationError, match="URL-safe base64") as refused:
        Settings(database_url="postgresql://h/d", encryption_key=value)
    assert value not in str(refused.value)


def test_the_development_key_is_a_key_and_a_placeholder() -> None:
    development = development_values()["ENCRYPTION_KEY"]
    assert Cipher(development).encrypt("secret")
    with pytest.raises(ValidationError, match="ENCRYPTION_KEY must be a real secret"):
        Settings(
            database_url="postgresql://h/d",
            environment="production",
            admin_api_key="5f0c4c1d9be84a7fa3e1",
            api_key_secret="d41d8cd98f00b204e9800998ecf8427e",
            encryption_key=development,
        )
