//! Google's metadata server, which gives tokens to programs on the machine
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
//!
//! It is asked directly and not through `google-cloud-auth`, which gives a token as long as it has not ended and does
//! not tell when it will: a push that began with its last second would fail.

use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use tokio::time::Instant;

/// By which it knows that a program means it, and a program that it is there.
const FLAVOR: &str = "Metadata-Flavor";

/// How long it may take to say that it is there: it is on the machine itself, or nowhere.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A token with less than this before it is asked for anew, if it may be had: long enough for a push to begin.
const NEARLY_DEAD: Duration = Duration::from_secs(30);

/// When a token with a long life is replaced. The server has a new one five minutes before the end of the old, or on
/// some of Google's services four (<https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>).
const REPLACED_BEFORE: Duration = Duration::from_secs(240);

/// The server, and the token that it has given.
pub(super) struct MetadataServer {
    client: Client,
    host: String,
    scope: &'static str,
    held: Held,
}

/// The token that is shown as long as it is good.
#[derive(Default)]
struct Held(Option<Token>);

/// A token, and when it ends.
#[derive(Clone)]
struct Token {
    word: String,
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
    fn is_fresh(&self) -> bool {
        self.left() >= REPLACED_BEFORE.min(self.lasts / 2).max(Duration::from_millis(1))
    }
}

impl Held {
    /// A token that has a while before it. Who gives them keeps the one that was given, so one that is about to end is
    /// waited out; where there are none but short ones, so be it.
    async fn token<F>(&mut self, ask: impl Fn() -> F) -> Result<Token, String>
    where
        F: Future<Output = Result<Token, String>>,
    {
        if let Some(held) = self.0.as_ref().filter(|held| held.is_fresh()) {
            return Ok(held.clone());
        }
        let mut token = ask().await?;
        if token.left() < NEARLY_DEAD {
            let again = ask().await?;
            let is_kept = again.word == token.word;
            token = again;
            if is_kept {
                tokio::time::sleep(token.left()).await;
                token = ask().await?;
            }
        }
        Ok(self.0.insert(token).clone())
    }
}

impl MetadataServer {
    /// The server at this host, if it is one.
    pub(super) async fn found_at(host: &str, scope: &'static str) -> Option<Self> {
        let client = Client::builder().no_proxy().build().ok()?;
        let asked = client.get(format!("http://{host}/")).header(FLAVOR, "Google").timeout(PROBE_LIMIT).send().await;
        let is_there = asked.is_ok_and(|answer| answer.headers().get(FLAVOR).is_some_and(|flavor| flavor == "Google"));
        is_there.then(|| Self { client, host: host.to_owned(), scope, held: Held::default() })
    }

    /// A token that has a while before it.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub(super) async fn token(&mut self) -> Result<String, String> {
        let Self { client, host, scope, held } = self;
        let token = held.token(|| ask(client, host, scope)).await?;
        Ok(token.word)
    }
}

async fn ask(client: &Client, host: &str, scope: &str) -> Result<Token, String> {
    let address = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let asked = client.get(address).query(&[("scopes", scope)]).header(FLAVOR, "Google").send();
    let answer = asked.await.and_then(reqwest::Response::error_for_status).map_err(|error| why(&error))?;
    let body = answer.bytes().await.map_err(|error| why(&error))?;
    // A problem with the text would quote it, and it may hold the token.
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| "its answer has no access_token and expires_in".to_owned())?;
    let lasts = Duration::from_secs(answer.expires_in);
    let ends = Instant::now().checked_add(lasts).ok_or("its token never ends")?;
    Ok(Token { word: answer.access_token, ends, lasts })
}

fn why(error: &reqwest::Error) -> String {
    match error.status() {
        Some(status) => format!("it answered {}", status.as_u16()),
        None => super::answer::innermost(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Who gives tokens that last so long, and keeps each until its end, as Google's server does.
    struct Giver {
        lasts: Duration,
        given: RefCell<Vec<Token>>,
    }

    impl Giver {
        fn of(lasts: Duration) -> Self {
            Self { lasts, given: RefCell::default() }
        }

        fn give(&self) -> Token {
            let mut given = self.given.borrow_mut();
            if given.last().is_none_or(|last| last.left().is_zero()) {
                let word = format!("token-{}", given.len());
                given.push(Token { word, ends: Instant::now() + self.lasts, lasts: self.lasts });
            }
            let kept = given.last().unwrap();
            // It tells how long is left, not how long there was.
            Token { lasts: kept.left(), ..kept.clone() }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn for_twenty_minutes_of_tokens_of_a_minute_none_is_shown_that_ends_before_a_push_has_begun() {
        let giver = Giver::of(Duration::from_secs(60));
        let mut held = Held::default();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(20) {
            let token = held.token(|| async { Ok(giver.give()) }).await.unwrap();
            assert!(token.left() >= Duration::from_secs(15), "{:?} left", token.left());
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
        let tokens = giver.given.borrow().len();
        assert!((19..=21).contains(&tokens), "{tokens} tokens in twenty minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_about_to_end_is_waited_out() {
        let giver = Giver::of(Duration::from_secs(60));
        giver.give();
        tokio::time::sleep(Duration::from_secs(58)).await;
        let token = Held::default().token(|| async { Ok(giver.give()) }).await.unwrap();
        assert_eq!((token.word.as_str(), token.left()), ("token-1", Duration::from_secs(60)));
    }
}
