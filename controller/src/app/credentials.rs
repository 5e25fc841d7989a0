//! Credentials for a registry.

use secrecy::SecretString;

/// A user name and a password for one registry. The password shows itself in no log and no `Debug` print.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The host that they are for, exactly as it stands in a reference: `gcr.io`, `127.0.0.1:5000`.
    pub host: String,
    /// The user's name.
    pub username: String,
    /// The password, or a token.
    pub password: SecretString,
}
