//! `git http-backend`, which answers requests for repositories, as a program that a web server runs (RFC 3875).

use std::path::Path;
use std::process::Stdio;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::repository::git_command;

/// What git answers to a request for something below `root`.
pub(super) async fn answer(root: &Path, request: &Parts, body: Bytes) -> Response<Full<Bytes>> {
    let mut backend = command(root, request, body.len()).spawn().expect("git http-backend can be started");
    let mut stdin = backend.stdin.take().expect("it was asked for");
    let writing = async move {
        // It does not read what it has no use for.
        let _ = stdin.write_all(&body).await;
    };
    let (output, ()) = tokio::join!(backend.wait_with_output(), writing);
    response(&output.expect("it was started").stdout)
}

fn command(root: &Path, request: &Parts, length: usize) -> Command {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = git_command();
    command.arg("http-backend");
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", request.method.as_str());
    command.env("PATH_INFO", request.uri.path());
    command.env("QUERY_STRING", request.uri.query().unwrap_or_default());
    command.env("CONTENT_LENGTH", length.to_string());
    command.env("CONTENT_TYPE", header(CONTENT_TYPE.as_str()));
    command.env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING.as_str()));
    command.env("GIT_PROTOCOL", header("git-protocol"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// Headers, an empty line, a body; a status other than 200 in a header of that name.
fn response(output: &[u8]) -> Response<Full<Bytes>> {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(end) = end else { return bare(StatusCode::BAD_GATEWAY) };
    let mut response = bare(StatusCode::OK);
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name == "Status" {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    *response.body_mut() = Full::new(Bytes::copy_from_slice(&output[end + 4..]));
    response
}

pub(super) fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
