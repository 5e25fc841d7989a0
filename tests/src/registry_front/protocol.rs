//! What a test says to the front, and what it is answered: JSON, a command in each request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a test wants of the front. A repository is named with all that lies below it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "command")]
pub(super) enum Command {
    /// Plays a fault from now on.
    Play { repository: String, fault: Fault },
    /// Plays none of the repository's faults any more.
    EndFaults { repository: String },
    /// Takes a user and a password for the repository as well.
    Register { repository: String, username: String, password: String },
    /// Forgets the repository's faults and users.
    Forget { repository: String },
    /// Tells what was asked about the repository.
    RequestsAbout { repository: String },
    /// Tells on whatever host this user's name or credentials were shown.
    RequestsOf { user: String },
}

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// `/v2/` itself.
    Ping,
    /// A token is asked for.
    Token,
    /// A manifest, by tag or digest.
    Manifests,
    /// A blob, by digest.
    Blobs,
    /// The upload of a blob, from its beginning to its end.
    Uploads,
    /// Anything else, such as the list of tags.
    Other,
}

/// A fault, and which requests it befalls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    action: Action,
    kind: Option<Kind>,
    method: Option<String>,
    host: Option<String>,
    times: Option<usize>,
    befalls_strangers: bool,
}

/// What happens instead of, or to, the right answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// This is the answer; the registry is not asked.
    Answer {
        /// The status code.
        status: u16,
        /// Headers, beside the length.
        headers: BTreeMap<String, String>,
        /// The body.
        body: String,
    },
    /// The connection ends once so many bytes of the body, sent or received, have passed.
    Cut {
        /// How many may pass.
        after: u64,
    },
    /// The right answer, with these headers in the place of its own.
    Headers(BTreeMap<String, String>),
}

impl Fault {
    /// This happens to every request that the registry would have let in, and to every one for a token, until the
    /// fault is taken back.
    pub fn new(action: Action) -> Self {
        Self { action, kind: None, method: None, host: None, times: None, befalls_strangers: false }
    }

    /// An answer with this status, and a body with this code and message, as registries write it.
    pub fn answer(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
        Self::new(Action::Answer { status, headers: BTreeMap::new(), body })
    }

    /// The connection is cut after so many bytes of the body.
    pub fn cut(after: u64) -> Self {
        Self::new(Action::Cut { after })
    }

    /// Whoever asks is sent to another address.
    pub fn redirect(location: &str) -> Self {
        Self::answer(307, "", "").with_header("Location", location)
    }

    /// The right answer names this digest in its header, whatever it has in its body.
    pub fn named_digest(digest: &str) -> Self {
        Self::new(Action::Headers(BTreeMap::from([("docker-content-digest".to_owned(), digest.to_owned())])))
    }

    /// An answer of any body, in the place of the right one.
    pub fn content(media_type: &str, body: &str) -> Self {
        let action = Action::Answer { status: 200, headers: BTreeMap::new(), body: body.to_owned() };
        Self::new(action).with_header("Content-Type", media_type)
    }

    /// With this status in the answer.
    #[must_use]
    pub fn with_status(mut self, code: u16) -> Self {
        if let Action::Answer { status, .. } = &mut self.action {
            *status = code;
        }
        self
    }

    /// With a header in the answer, such as `Retry-After`.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Action::Answer { headers, .. } | Action::Headers(headers) = &mut self.action {
            headers.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// Only requests of this kind.
    #[must_use]
    pub fn on(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests to this host.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Only the next so many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Also requests without credentials, or with wrong ones, which would have been refused.
    #[must_use]
    pub fn befalling_strangers(mut self) -> Self {
        self.befalls_strangers = true;
        self
    }

    /// What happens to such a request, if it is befallen; that counts as one time.
    pub(super) fn strike(&mut self, host: &str, method: &str, kind: Kind, is_let_in: bool) -> Option<Action> {
        let is_meant = self.kind.is_none_or(|meant| meant == kind)
            && self.method.as_ref().is_none_or(|meant| meant.eq_ignore_ascii_case(method))
            && self.host.as_ref().is_none_or(|meant| meant == host)
            && (is_let_in || self.befalls_strangers || kind == Kind::Token);
        if !is_meant || self.times == Some(0) {
            return None;
        }
        self.times = self.times.map(|times| times - 1);
        Some(self.action.clone())
    }
}

/// A request that the front has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenRequest {
    /// The name by which the front was asked.
    pub host: String,
    /// The repository that it was about; empty for a ping.
    pub repository: String,
    /// What was asked for.
    pub kind: Kind,
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What it was answered; 0 when the connection was cut before.
    pub status: u16,
    /// The bytes of its body that have arrived.
    pub received: u64,
    /// The bytes of the answer's body that were sent.
    pub sent: u64,
    /// Whose credentials it showed: the user's name, for a token the name that it was issued for, or for a
    /// service-account key its `client_email`. Nothing when it showed none that can be read.
    pub user: Option<String>,
    /// The SHA-256 of the password or token that it showed, in hexadecimal digits.
    pub secret: Option<String>,
    /// Whether these were good for the repository.
    pub authorised: bool,
}
