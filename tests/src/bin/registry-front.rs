//! The lab's `gcr.io`: `registry-front SETTINGS.json`. `tests/lab/lab up gcr` starts it.

#![expect(clippy::print_stderr, reason = "what is wrong goes to the lab's log")]

use std::process::ExitCode;

use longshore_tests::registry_front::serve;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = std::env::args().nth(1).ok_or("the file with the settings is missing".to_owned());
    let settings = settings.and_then(|file| std::fs::read(file).map_err(|error| error.to_string()));
    let settings = settings.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
    let served = match settings {
        Ok(settings) => serve(settings).await,
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("registry-front: {error}");
            ExitCode::FAILURE
        }
    }
}
