//! Google's metadata server, of a test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::registry_front::credentials::access_token;

/// Where nobody answers: the port is that of a service which nothing offers any more.
pub(crate) const NO_METADATA_SERVER: &str = "127.0.0.1:1";

/// A metadata server on this machine, whose only service account has this token. It ends with the test's process.
pub struct MetadataServer {
    /// Where it answers, as `GCE_METADATA_HOST` has it.
    pub host: String,
    tokens: Arc<AtomicUsize>,
    time: Arc<Mutex<Time>>,
}

/// What time it is for the server, and how often it has made a token.
#[derive(Default)]
struct Time {
    gone_by: Duration,
    made: usize,
    /// What happens when it makes one.
    at_each: Option<Box<dyn Fn() + Send>>,
}

impl MetadataServer {
    /// Starts one whose tokens last so many seconds.
    pub fn start(token: &str, seconds: u32) -> Self {
        let token = token.to_owned();
        Self::giving(Arc::default(), move || (token.clone(), seconds))
    }

    /// Starts one that gives this subject access tokens for the lab's gcr.io, which end after so many seconds. It keeps
    /// one as long as it lasts, as Google's does; the first has only this many seconds left.
    pub fn with_tokens_of(subject: &str, first: u32, seconds: u32) -> Self {
        let subject = subject.to_owned();
        let time: Arc<Mutex<Time>> = Arc::default();
        let clock = Arc::clone(&time);
        let made = move |lasts: u32, now: Instant| {
            let lasts = Duration::from_secs(lasts.into());
            (access_token(&subject, lasts), now + lasts)
        };
        let mut kept = made(first, Instant::now());
        Self::giving(time, move || {
            let mut time = clock.lock().expect("nobody has panicked with it");
            let now = Instant::now() + time.gone_by;
            // The answer has whole seconds.
            if kept.1 < now + Duration::from_secs(1) {
                kept = made(seconds, now);
                time.made += 1;
                time.at_each.iter().for_each(|act| act());
            }
            let left = (kept.1 - now).as_secs();
            (kept.0.clone(), u32::try_from(left).expect("it is no longer than it was"))
        })
    }

    /// Lets so much time go by for the server, and for nobody else: as for who has slept meanwhile.
    pub fn let_pass(&self, time: Duration) {
        self.time().gone_by += time;
    }

    /// Does this whenever a token is made in the place of one that has ended, before anybody is given it.
    pub fn at_each_new_token(&self, act: impl Fn() + Send + 'static) {
        self.time().at_each = Some(Box::new(act));
    }

    /// How many tokens it has made in the place of others.
    pub fn made(&self) -> usize {
        self.time().made
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().expect("nobody has panicked with it")
    }

    /// Starts one that gives what it is told at each request.
    fn giving(time: Arc<Mutex<Time>>, mut give: impl FnMut() -> (String, u32) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let host = listener.local_addr().expect("it has an address").to_string();
        let tokens = Arc::new(AtomicUsize::new(0));
        let given = Arc::clone(&tokens);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &mut give, &given);
            }
        });
        Self { host, tokens, time }
    }

    /// How many tokens it has given.
    pub fn tokens(&self) -> usize {
        self.tokens.load(Ordering::SeqCst)
    }
}

/// Answers one request. Whoever goes away before is nobody's loss.
fn serve(mut stream: TcpStream, give: &mut dyn FnMut() -> (String, u32), tokens: &AtomicUsize) {
    let Ok(reading) = stream.try_clone() else { return };
    let head: Vec<String> = BufReader::new(reading)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_ascii_lowercase())
        .collect();
    let is_for_it = head.iter().any(|line| line == "metadata-flavor: google");
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let (status, body) = match path.split('?').next().unwrap_or_default() {
        _ if !is_for_it => ("403 Forbidden", "Metadata-Flavor is missing".to_owned()),
        "/" => ("200 OK", "computeMetadata/".to_owned()),
        "/computemetadata/v1/instance/service-accounts/default/token" => {
            tokens.fetch_add(1, Ordering::SeqCst);
            let (token, seconds) = give();
            let answer = serde_json::json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"});
            ("200 OK", answer.to_string())
        }
        _ => ("404 Not Found", "there is nothing here".to_owned()),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nMetadata-Flavor: Google\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
