//! What the front remembers: the faults and users of tests, and the requests that it has seen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::protocol::{Action, Command, Fault, SeenRequest};

/// How many requests are remembered; the oldest go.
const MOST_REQUESTS: usize = 50_000;

/// All that is remembered.
#[derive(Default)]
pub(super) struct Memory(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    faults: Vec<(String, Fault)>,
    users: Vec<User>,
    requests: VecDeque<Arc<Seen>>,
}

struct User {
    repository: String,
    username: String,
    password: String,
}

/// A request, and what goes on being counted until its answer has been sent.
pub(super) struct Seen {
    request: SeenRequest,
    status: AtomicU16,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

impl Seen {
    pub(super) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn so_far(&self) -> SeenRequest {
        SeenRequest {
            status: self.status.load(Ordering::SeqCst),
            received: self.received.load(Ordering::SeqCst),
            sent: self.sent.load(Ordering::SeqCst),
            ..self.request.clone()
        }
    }
}

impl Memory {
    /// What this command asks for; nothing when it only has something done.
    pub(super) fn obey(&self, command: Command) -> Vec<SeenRequest> {
        let mut remembered = self.lock();
        match command {
            Command::Play { repository, fault } => remembered.faults.push((repository, fault)),
            Command::EndFaults { repository } => remembered.faults.retain(|(of, _)| *of != repository),
            Command::Register { repository, username, password } => {
                remembered.users.push(User { repository, username, password });
            }
            Command::Forget { repository } => {
                remembered.faults.retain(|(of, _)| *of != repository);
                remembered.users.retain(|user| user.repository != repository);
            }
            Command::RequestsAbout { repository } => {
                return remembered.told(|request| is_in(&request.repository, &repository));
            }
            Command::RequestsOf { user } => return remembered.told(|request| request.user.as_ref() == Some(&user)),
        }
        Vec::new()
    }

    /// What is to happen to a request, if it is not the right thing.
    pub(super) fn fault(&self, request: &SeenRequest) -> Option<Action> {
        let mut remembered = self.lock();
        let mut of_it = remembered.faults.iter_mut().filter(|(of, _)| is_in(&request.repository, of));
        of_it.find_map(|(_, fault)| fault.strike(&request.host, &request.method, request.kind, request.authorised))
    }

    /// Whether a test has registered this user, be it for another repository.
    pub(super) fn knows(&self, username: &str, password: &str) -> bool {
        self.lock().users.iter().any(|user| user.username == username && user.password == password)
    }

    /// Whether a user may use a repository: those that a test has registered only the one that they are for.
    pub(super) fn may(&self, username: &str, repository: &str) -> bool {
        let remembered = self.lock();
        let mut registered = remembered.users.iter().filter(|user| user.username == username).peekable();
        registered.peek().is_none()
            || repository.is_empty()
            || registered.any(|user| is_in(repository, &user.repository))
    }

    pub(super) fn remember(&self, request: SeenRequest) -> Arc<Seen> {
        let (status, received, sent) = (request.status.into(), request.received.into(), request.sent.into());
        let seen = Arc::new(Seen { request, status, received, sent });
        let mut remembered = self.lock();
        if remembered.requests.len() >= MOST_REQUESTS {
            remembered.requests.pop_front();
        }
        remembered.requests.push_back(Arc::clone(&seen));
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn told(&self, is_meant: impl Fn(&SeenRequest) -> bool) -> Vec<SeenRequest> {
        self.requests.iter().filter(|seen| is_meant(&seen.request)).map(|seen| seen.so_far()).collect()
    }
}

/// Whether a repository is this one or lies below it.
fn is_in(repository: &str, of: &str) -> bool {
    repository.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
