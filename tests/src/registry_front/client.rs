//! The front as a test sees it.

use super::protocol::{Command, Fault, SeenRequest};
use crate::lab_variable;
use crate::programs::run;

/// The front, for a repository and all that lies below it, on every host by which it is known. What was ordered for it
/// ends when this is dropped.
pub struct RegistryFront {
    repository: String,
}

impl RegistryFront {
    /// That of a repository, without the host: `my-project/node-app`. No other test may use it.
    pub fn of(repository: &str) -> Self {
        Self { repository: repository.to_owned() }
    }

    /// Plays a fault from now on. Of several that befall a request, the one that was ordered first does.
    pub fn play(&self, fault: Fault) {
        order(&Command::Play { repository: self.repository.clone(), fault });
    }

    /// Plays no fault any more.
    pub fn end_faults(&self) {
        order(&Command::EndFaults { repository: self.repository.clone() });
    }

    /// Takes a user and a password, for this repository only. A name that no other test has is wanted.
    pub fn register(&self, username: &str, password: &str) {
        let (username, password) = (username.to_owned(), password.to_owned());
        order(&Command::Register { repository: self.repository.clone(), username, password });
    }

    /// What was asked about the repository so far, the oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        order(&Command::RequestsAbout { repository: self.repository.clone() })
    }

    /// What was asked, on whichever host and about whatever, by who showed this user's name or credentials: see
    /// [`SeenRequest::user`].
    pub fn requests_of(user: &str) -> Vec<SeenRequest> {
        order(&Command::RequestsOf { user: user.to_owned() })
    }
}

impl Drop for RegistryFront {
    fn drop(&mut self) {
        order(&Command::Forget { repository: self.repository.clone() });
    }
}

fn order(command: &Command) -> Vec<SeenRequest> {
    let address = format!("http://{}/", lab_variable("LONGSHORE_LAB_GCR_CONTROL"));
    let command = serde_json::to_string(command).expect("a command is JSON");
    let arguments = ["--silent", "--show-error", "--fail", "--noproxy", "*", "--data-binary", "@-", &address];
    let answer = run("curl", &arguments, &command).unwrap_or_else(|error| panic!("the lab's gcr.io: {error}"));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("the lab's gcr.io answers {answer}: {error}"))
}
