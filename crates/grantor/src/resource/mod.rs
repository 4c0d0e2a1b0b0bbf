//! Checking access tokens in front of an API.
