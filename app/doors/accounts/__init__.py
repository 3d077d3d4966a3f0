"""The door of accounts, which people register here."""
