"""Who is asking: one function a credential, which makes a Caller of a request or refuses it."""
