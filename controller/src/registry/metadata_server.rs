//! Google's metadata server, which gives tokens to programs on the machine
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
//!
//! It is asked directly and not through `google-cloud-auth`, which gives a token as long as it has not ended and does
//! not tell when it will: a push that began with its last second would fail.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde::Deserialize;

/// By which it knows that a program means it, and a program that it is there.
const FLAVOR: &str = "Metadata-Flavor";

/// How long it may take to say that it is there: it is on the machine itself, or nowhere.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A token with less than this before it is asked for anew, if it may be had: long enough for a push to begin.
const NEARLY_DEAD: Duration = Duration::from_secs(30);

/// When a token with a long life is replaced. The server has a new one five minutes before the end of the old, or on
/// some of Google's services four (<https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>).
const REPLACED_BEFORE: Duration = Duration::from_secs(240);

/// The server.
#[derive(Clone)]
pub(super) struct MetadataServer {
    client: Client,
    host: String,
    scope: &'static str,
}

/// A token, and when it ends.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) word: String,
    ends: Instant,
    lasts: Duration,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

impl Token {
    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Whether it may be used again: it is not before its end, nor, where it lasts but a moment, in its second half.
    pub(super) fn is_fresh(&self) -> bool {
        self.left() >= REPLACED_BEFORE.min(self.lasts / 2).max(Duration::from_millis(1))
    }
}

impl MetadataServer {
    /// The server at this host, if it is one.
    pub(super) async fn found_at(host: &str, scope: &'static str) -> Option<Self> {
        let client = Client::builder().no_proxy().build().ok()?;
        let asked = client.get(format!("http://{host}/")).header(FLAVOR, "Google").timeout(PROBE_LIMIT).send().await;
        let is_there = asked.is_ok_and(|answer| answer.headers().get(FLAVOR).is_some_and(|flavor| flavor == "Google"));
        is_there.then(|| Self { client, host: host.to_owned(), scope })
    }

    /// A token that has a while before it. The server keeps the one that it has given, so one that is about to end is
    /// waited out; where it has none but short ones, so be it.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub(super) async fn token(&self) -> Result<Token, String> {
        let mut token = self.ask().await?;
        if token.left() < NEARLY_DEAD {
            let again = self.ask().await?;
            let is_kept = again.word == token.word;
            token = again;
            if is_kept {
                tokio::time::sleep(token.left()).await;
                token = self.ask().await?;
            }
        }
        Ok(token)
    }

    async fn ask(&self) -> Result<Token, String> {
        let address = format!("http://{}/computeMetadata/v1/instance/service-accounts/default/token", self.host);
        let asked = self.client.get(address).query(&[("scopes", self.scope)]).header(FLAVOR, "Google").send();
        let answer = asked.await.and_then(reqwest::Response::error_for_status).map_err(|error| why(&error))?;
        let body = answer.bytes().await.map_err(|error| why(&error))?;
        // A problem with the text would quote it, and it may hold the token.
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| "its answer has no access_token and expires_in".to_owned())?;
        let lasts = Duration::from_secs(answer.expires_in);
        let ends = Instant::now().checked_add(lasts).ok_or("its token never ends")?;
        Ok(Token { word: answer.access_token, ends, lasts })
    }
}

fn why(error: &reqwest::Error) -> String {
    match error.status() {
        Some(status) => format!("it answered {}", status.as_u16()),
        None => super::answer::innermost(error),
    }
}
