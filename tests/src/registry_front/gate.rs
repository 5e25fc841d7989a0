//! What becomes of a request: who asks is found out, it is written down, a fault befalls it or it is passed on.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::answers;
use super::body::{AnyBody, counted, whole};
use super::credentials::{Refused, Vouching, fingerprint, parts};
use super::memory::{Memory, Seen};
use super::protocol::{Action, Kind, SeenRequest};
use super::target::{Target, parameter, scope_in};
use super::upstream::Upstream;

/// The longest form that is read, in bytes.
const LONGEST_FORM: usize = 64 << 10;

/// All that is needed to answer.
pub(super) struct Gate {
    pub(super) vouching: Vouching,
    /// The lab's own user and password.
    pub(super) user: (String, String),
    pub(super) memory: Memory,
    pub(super) upstream: Upstream,
}

/// What a request shows of who sends it.
#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Password { username: String, password: String },
    Token(String),
    Unreadable,
}

impl Gate {
    /// # Errors
    /// When the connection is to be cut.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<AnyBody>, io::Error> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let mut target = Target::of(request.uri());
        let mut shown = Shown::in_headers(request.headers());
        let (parts, incoming) = request.into_parts();
        // Some clients show their password in a form when they want a token.
        let body = if target.kind == Kind::Token && parts.method == Method::POST {
            let form = form_in(incoming).await;
            target.repository = scope_in(&form).unwrap_or_default();
            shown = shown.or_in_form(&form);
            Err(form)
        } else {
            Ok(incoming)
        };
        let who = self.who(&shown);
        let authorised = who.as_ref().is_ok_and(|who| self.memory.may(who, &target.repository));
        let request = SeenRequest {
            host: host.clone(),
            repository: target.repository,
            kind: target.kind,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            status: 0,
            received: body.as_ref().err().map_or(0, |form| form.len() as u64),
            sent: 0,
            user: who.as_ref().ok().cloned().or_else(|| shown.user()),
            secret: shown.secret(),
            authorised,
        };
        let fault = self.memory.fault(&request);
        let seen = self.memory.remember(request.clone());
        if let Some(Action::Answer { status, headers, body }) = fault {
            return Ok(said(&seen, faulty(status, &headers, body)));
        }
        let refused = match (&shown, who) {
            (Shown::Nothing, _) => None,
            (_, refused) => refused.err(),
        };
        if request.kind == Kind::Token {
            return Ok(said(&seen, self.token(&request, &shown, refused)));
        }
        if matches!(shown, Shown::Nothing) || refused.is_some() {
            return Ok(said(&seen, answers::challenge(&host, refused)));
        }
        if !authorised {
            return Ok(said(&seen, answers::permission_denied(&request.repository)));
        }
        let body = body.map_err(|_| io::Error::other("a form is for tokens"))?;
        self.pass_on(&host, Request::from_parts(parts, body), &seen, fault).await
    }

    /// Whose credentials these are; for nobody's, why they are refused.
    fn who(&self, shown: &Shown) -> Result<String, Refused> {
        match shown {
            Shown::Nothing | Shown::Unreadable => Err(Refused::Unknown),
            Shown::Token(token) => self.vouching.bearer_of(token).or_else(|_| self.vouching.access(token)),
            Shown::Password { username, password } => {
                let is_labs_own =
                    *password == self.user.1 && (*username == self.user.0 || username == "oauth2accesstoken");
                match username.as_str() {
                    _ if is_labs_own || self.memory.knows(username, password) => Ok(username.clone()),
                    "oauth2accesstoken" => self.vouching.access(password),
                    "_json_key" => self.vouching.key(password),
                    "_json_key_base64" => self.vouching.key_in_base64(password),
                    _ => Err(Refused::Unknown),
                }
            }
        }
    }

    fn token(&self, request: &SeenRequest, shown: &Shown, refused: Option<Refused>) -> Response<AnyBody> {
        if request.method != "GET" {
            return answers::only_get();
        }
        match (shown, refused) {
            (Shown::Nothing, _) => answers::unauthenticated(&request.repository),
            (_, Some(_)) => answers::authentication_failed(),
            (_, None) if !request.authorised => answers::permission_denied(&request.repository),
            (_, None) => answers::token(&self.vouching.bearer(request.user.as_deref().unwrap_or_default())),
        }
    }

    async fn pass_on(
        &self,
        host: &str,
        request: Request<Incoming>,
        seen: &Arc<Seen>,
        fault: Option<Action>,
    ) -> Result<Response<AnyBody>, io::Error> {
        let limit = match fault {
            Some(Action::Cut { after }) => Some(after),
            _ => None,
        };
        let request = request.map(|body| counted(body, Arc::clone(seen), |seen| &seen.received, limit));
        let mut response = match self.upstream.answer(host, request).await {
            Ok(response) => response,
            Err(why) if limit.is_some() => return Err(io::Error::other(why)),
            Err(why) => return Ok(said(seen, answers::no_registry(&why))),
        };
        if let Some(Action::Headers(headers)) = fault {
            put(response.headers_mut(), &headers);
        }
        seen.answered(response.status().as_u16());
        Ok(response.map(|body| counted(body, Arc::clone(seen), |seen| &seen.sent, limit)))
    }
}

impl Shown {
    fn in_headers(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(AUTHORIZATION) else { return Self::Nothing };
        let Some((scheme, value)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return Self::Unreadable;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return Self::Token(value.to_owned());
        }
        let decoded = BASE64_STANDARD.decode(value).ok().and_then(|text| String::from_utf8(text).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((username, password)) => {
                Self::Password { username: username.to_owned(), password: password.to_owned() }
            }
            None => Self::Unreadable,
        }
    }

    fn or_in_form(self, form: &str) -> Self {
        match (parameter(form, "username"), parameter(form, "password"), parameter(form, "refresh_token")) {
            (Some(username), Some(password), _) => Self::Password { username, password },
            (_, _, Some(token)) => Self::Token(token),
            _ => self,
        }
    }

    /// Whoever it claims to be.
    fn user(&self) -> Option<String> {
        match self {
            Self::Password { username, password } if username == "oauth2accesstoken" => {
                Some(parts(password).map_or_else(|| username.clone(), |(subject, _)| subject))
            }
            Self::Password { username, .. } => Some(username.clone()),
            Self::Token(token) => parts(token).map(|(subject, _)| subject),
            Self::Nothing | Self::Unreadable => None,
        }
    }

    fn secret(&self) -> Option<String> {
        match self {
            Self::Password { password, .. } => Some(fingerprint(password)),
            Self::Token(token) => Some(fingerprint(token)),
            Self::Unreadable => Some(String::new()),
            Self::Nothing => None,
        }
    }
}

async fn form_in(body: Incoming) -> String {
    let read = Limited::new(body, LONGEST_FORM).collect().await;
    read.map(|form| String::from_utf8_lossy(&form.to_bytes()).into_owned()).unwrap_or_default()
}

/// Writes down what the front answers itself.
fn said(seen: &Arc<Seen>, response: Response<AnyBody>) -> Response<AnyBody> {
    seen.answered(response.status().as_u16());
    response.map(|body| counted(body, Arc::clone(seen), |seen| &seen.sent, None))
}

fn faulty(status: u16, headers: &std::collections::BTreeMap<String, String>, body: String) -> Response<AnyBody> {
    let mut response = Response::new(whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(response.headers_mut(), headers);
    response
}

fn put(headers: &mut HeaderMap, others: &std::collections::BTreeMap<String, String>) {
    for (name, value) in others {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a test names headers");
        headers.insert(name, HeaderValue::from_str(value).expect("a test gives headers their values"));
    }
}
