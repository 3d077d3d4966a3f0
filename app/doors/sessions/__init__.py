"""The door of people whose sessions an auth server keeps."""
