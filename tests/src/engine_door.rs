//! A way to an engine that a test can close, as if the engine had gone away: the engine itself is everybody's.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::{LabEngine, unique_name};

/// A socket that leads to an engine while it is open.
pub struct EngineDoor {
    socket: PathBuf,
    target: PathBuf,
    open: Mutex<Option<JoinHandle<()>>>,
}

impl EngineDoor {
    /// An open door to this engine.
    pub fn to(engine: LabEngine) -> Self {
        let socket = std::env::temp_dir().join(format!("{}.sock", unique_name("door")));
        let target = engine.endpoint().trim_start_matches("unix://").into();
        let door = Self { socket, target, open: Mutex::new(None) };
        door.open();
        door
    }

    /// Its address, `unix:///…`.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Lets through again.
    pub fn open(&self) {
        let _ = std::fs::remove_file(&self.socket);
        let listener = UnixListener::bind(&self.socket).expect("a socket for the door");
        let target = self.target.clone();
        let serving = tokio::spawn(async move {
            // They are cut when this task is ended.
            let mut connections = JoinSet::new();
            while let Ok((mut inside, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut engine) = UnixStream::connect(&target).await {
                        let _ = copy_bidirectional(&mut inside, &mut engine).await;
                    }
                });
            }
        });
        self.set(Some(serving));
    }

    /// Cuts every connection, and lets nobody in.
    pub fn close(&self) {
        self.set(None);
        let _ = std::fs::remove_file(&self.socket);
    }

    fn set(&self, serving: Option<JoinHandle<()>>) {
        let before = std::mem::replace(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner), serving);
        if let Some(before) = before {
            before.abort();
        }
    }
}

impl Drop for EngineDoor {
    fn drop(&mut self) {
        self.close();
    }
}
