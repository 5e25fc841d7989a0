//! Google's metadata server, which gives tokens to programs on the machine
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
//!
//! It is asked directly and not through `google-cloud-auth`, which gives a token as long as it has not ended and does
//! not tell when it will: a push that began with its last second would fail.

use std::time::{Duration, SystemTime};

use reqwest::Client;
use serde::Deserialize;
use tokio::time::Instant;

/// By which it knows that a program means it, and a program that it is there.
const FLAVOR: &str = "Metadata-Flavor";

/// How long it may take to say that it is there: it is on the machine itself, or nowhere.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A token with less than this before it is asked for anew, if it may be had: long enough for a push to begin.
const NEARLY_DEAD: Duration = Duration::from_secs(10);

/// Nor is a token nearly dead before the last sixth of its life: who gives none but short ones would be waited for at
/// every look.
const LAST_PART: u32 = 6;

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
struct Held {
    token: Option<Token>,
    /// The longest that a token of this server had before it; nothing until one was given.
    longest: Option<Duration>,
}

/// A token, and when it ends.
#[derive(Clone)]
struct Token {
    word: String,
    ends: Instant,
    /// The same by the clock on the wall, which goes on while a machine sleeps.
    ends_on_the_wall: SystemTime,
    lasts: Duration,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

impl Token {
    /// A token that was given just now.
    fn lasting(word: String, lasts: Duration) -> Option<Self> {
        let (ends, ends_on_the_wall) = (Instant::now().checked_add(lasts)?, SystemTime::now().checked_add(lasts)?);
        Some(Self { word, ends, ends_on_the_wall, lasts })
    }

    /// How long it lasts, by the clock that gives it less.
    fn left(&self) -> Duration {
        let left = self.ends.saturating_duration_since(Instant::now());
        left.min(self.ends_on_the_wall.duration_since(SystemTime::now()).unwrap_or_default())
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
        let nearly_dead = self.nearly_dead();
        if let Some(held) = self.token.as_ref().filter(|held| held.is_fresh() && held.left() >= nearly_dead) {
            return Ok(held.clone());
        }
        let mut token = ask().await?;
        if token.left() < nearly_dead {
            let again = ask().await?;
            let is_kept = again.word == token.word;
            token = again;
            if is_kept {
                tokio::time::sleep(token.left()).await;
                token = ask().await?;
            }
        }
        self.longest = self.longest.max(Some(token.lasts));
        Ok(self.token.insert(token).clone())
    }

    fn nearly_dead(&self) -> Duration {
        self.longest.map_or(NEARLY_DEAD, |longest| NEARLY_DEAD.min(longest / LAST_PART))
    }
}

impl MetadataServer {
    /// The server at this host, if it is one.
    ///
    /// # Errors
    /// Whether there is one cannot be known: it takes too long.
    pub(super) async fn found_at(host: &str, scope: &'static str) -> Result<Option<Self>, String> {
        let client = Client::builder().no_proxy().build().map_err(|error| why(&error))?;
        let asked = client.get(format!("http://{host}/")).header(FLAVOR, "Google").timeout(PROBE_LIMIT).send().await;
        let is_there = match asked {
            Ok(answer) => answer.headers().get(FLAVOR).is_some_and(|flavor| flavor == "Google"),
            Err(error) if error.is_timeout() => {
                return Err(format!("it did not answer within {} seconds", PROBE_LIMIT.as_secs()));
            }
            Err(_) => false,
        };
        Ok(is_there.then(|| Self { client, host: host.to_owned(), scope, held: Held::default() }))
    }

    /// Asks anew for the next token. That the server is there stays known.
    pub(super) fn forget_token(&mut self) {
        self.held.token = None;
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
    Token::lasting(answer.access_token, lasts).ok_or_else(|| "its token never ends".to_owned())
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
                given.push(Token::lasting(word, self.lasts).unwrap());
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
            assert!(token.left() >= Duration::from_secs(10), "{:?} left", token.left());
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
        assert_eq!(token.word, "token-1");
        assert!(token.left() > Duration::from_secs(59));
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_are_none_but_short_tokens_a_look_does_not_wait_for_the_next_again_and_again() {
        for seconds in [3, 12, 30] {
            let giver = Giver::of(Duration::from_secs(seconds));
            let mut held = Held::default();
            held.token(|| async { Ok(giver.give()) }).await.unwrap();
            let (begun, mut waited) = (Instant::now(), Duration::ZERO);
            while begun.elapsed() < Duration::from_mins(20) {
                let asked = Instant::now();
                let token = held.token(|| async { Ok(giver.give()) }).await.unwrap();
                // The clock on the wall goes on meanwhile.
                let left = token.left() + Duration::from_millis(20);
                assert!(left >= Duration::from_secs(seconds) / 6, "{left:?} of {seconds} s");
                waited += asked.elapsed();
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            assert!(waited <= begun.elapsed() / 6, "{waited:?} for tokens of {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_while_the_machine_slept_is_asked_for_anew() {
        let giver = Giver::of(Duration::from_hours(1));
        let mut held = Held::default();
        held.token(|| async { Ok(giver.give()) }).await.unwrap();
        held.token.as_mut().unwrap().ends_on_the_wall = SystemTime::now() - Duration::from_mins(20);
        giver.given.borrow_mut().clear();
        let token = held.token(|| async { Ok(Token::lasting("new".to_owned(), giver.lasts).unwrap()) }).await.unwrap();
        assert_eq!(token.word, "new");
    }
}
