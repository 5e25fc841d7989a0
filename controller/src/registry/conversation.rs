//! What is said to one registry about one reference, with an authorisation when it wants one.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::answer::{self, MEDIA_TYPES};
use super::authorizations::{Authorization, Authorizations, Claim};
use super::challenge::{Challenge, Scope, token_address};
use super::clients::Clients;
use super::endpoint::{Endpoint, Way};
use crate::app::{
    Credentials, ImageReference, Purpose, RegistryError, RegistryErrorKind, RegistryRequest, is_google_registry,
};

/// How long a token lasts of which that is not told (<https://distribution.github.io/distribution/spec/auth/token/>).
const TOKEN_LASTS: Duration = Duration::from_secs(60);

/// A token server's answer. Servers send one name, or both with the same token.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    /// Seconds. Whoever writes something else there has not told.
    expires_in: Option<serde_json::Value>,
}

/// What is said to one registry about one reference.
pub(super) struct Conversation<'a> {
    clients: &'a Clients,
    pub(super) endpoint: Endpoint,
    reference: &'a ImageReference,
    pub(super) request: RegistryRequest,
    scope: Scope,
    credentials: Option<&'a Credentials>,
    /// What the registry asked for, once it has.
    authorization: Option<Authorization>,
    /// Whether that is from an earlier conversation.
    is_kept: bool,
    /// Those of earlier conversations, and what this one is about; nothing where none are to be shown.
    kept: Option<(&'a Authorizations, Claim)>,
}

impl<'a> Conversation<'a> {
    /// The beginning of one. Credentials for another host than the reference's are not used.
    pub(super) fn begin(
        (way, clients): (Way, &'a Clients),
        reference: &'a ImageReference,
        purpose: Purpose,
        credentials: Option<&'a Credentials>,
    ) -> Result<Self, RegistryError> {
        let request = RegistryRequest::new(reference, purpose, credentials);
        let endpoint = Endpoint::of(reference, way).map_err(|why| RegistryError::unavailable(why, request.clone()))?;
        let scope = if purpose == Purpose::Delete { Scope::Delete } else { Scope::Pull };
        let credentials = credentials.filter(|credentials| credentials.host == reference.host());
        let mut conversation = Self {
            clients,
            endpoint,
            reference,
            request,
            scope,
            credentials,
            authorization: None,
            is_kept: false,
            kept: None,
        };
        if way == Way::Secure && is_google_registry(reference.host()) {
            conversation.authorization = conversation.basic();
        }
        Ok(conversation)
    }

    /// The same, with what the registry took in earlier conversations for the same.
    pub(super) fn with_kept(mut self, kept: &'a Authorizations) -> Self {
        let claim = Claim::of(self.reference, self.credentials);
        if self.authorization.is_none() {
            self.authorization = kept.get(&claim);
            self.is_kept = self.authorization.is_some();
        }
        self.kept = Some((kept, claim));
        self
    }

    /// The address of what the reference names.
    pub(super) fn manifest(&self) -> Url {
        self.endpoint.manifest(self.reference)
    }

    /// Asks, and again with an authorisation when the registry's own host wants one.
    pub(super) async fn send(&mut self, method: Method, url: &Url) -> Result<Response, RegistryError> {
        let mut response = self.send_again(method.clone(), url).await?;
        // Some registries say that there is nothing to who may not see it.
        let is_refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
        if std::mem::take(&mut self.is_kept) && is_refused.contains(&response.status()) {
            self.authorization = None;
            if let Some((kept, claim)) = &self.kept {
                kept.forget(claim);
            }
            response = self.send_again(method.clone(), url).await?;
        }
        let wants_authorization =
            response.status() == StatusCode::UNAUTHORIZED && self.endpoint.is_same_origin(response.url());
        if self.authorization.is_some() || !wants_authorization {
            return Ok(response);
        }
        match Challenge::of(response.headers()) {
            Some(Challenge::Bearer { realm, service }) => {
                self.authorization = Some(self.token(&realm, service.as_deref()).await?);
            }
            Some(Challenge::Basic) if self.credentials.is_some() => self.authorization = self.basic(),
            _ => return Ok(response),
        }
        let response = self.send_again(method, url).await?;
        if let (StatusCode::OK, Some(taken), Some((kept, claim))) = (response.status(), &self.authorization, &self.kept)
        {
            kept.keep(claim, taken);
        }
        Ok(response)
    }

    /// Asks with the authorisation that the registry has wanted before.
    pub(super) async fn send_again(&self, method: Method, url: &Url) -> Result<Response, RegistryError> {
        let client = self.clients.for_method(&method);
        let mut request = client.request(method, url.clone()).header(ACCEPT, MEDIA_TYPES);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.value.clone());
        }
        self.answer_to(request).await
    }

    async fn answer_to(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        request.send().await.map_err(|error| {
            let message = answer::no_answer(self.reference.host(), &error);
            let read = RegistryError::read(&message, None, &*message, self.request.clone());
            read.unwrap_or_else(|| self.unavailable(message))
        })
    }

    pub(super) fn unavailable(&self, message: String) -> RegistryError {
        RegistryError::unavailable(message, self.request.clone())
    }

    /// A token for the repository, for the user whose credentials there are, else for anyone.
    async fn token(&self, realm: &Url, service: Option<&str>) -> Result<Authorization, RegistryError> {
        let host = self.reference.host();
        let mut request = self.clients.asking.get(token_address(realm, service, self.reference, self.scope));
        if let Some(credentials) = self.credentials {
            if !self.endpoint.trusts(realm) {
                return Err(foreign_realm(realm, self.reference, self.request.clone()));
            }
            request = request.basic_auth(&credentials.username, Some(credentials.password.expose_secret()));
        }
        let mut response = self.answer_to(request).await?;
        if response.status() != StatusCode::OK {
            return Err(answer::refusal(response, &self.request).await);
        }
        let body = answer::body_of(&mut response, host).await.map_err(|why| self.unavailable(why))?;
        bearer_in(&body).ok_or_else(|| self.unavailable(format!("the token server of {host} answered without a token")))
    }

    fn basic(&self) -> Option<Authorization> {
        let credentials = self.credentials?;
        let request = self
            .clients
            .asking
            .get(self.manifest())
            .basic_auth(&credentials.username, Some(credentials.password.expose_secret()));
        request.build().ok()?.headers().get(AUTHORIZATION).cloned().map(Authorization::lasting)
    }
}

/// The credentials are for the registry's host, and it wants them sent elsewhere.
pub(super) fn foreign_realm(realm: &Url, reference: &ImageReference, request: RegistryRequest) -> RegistryError {
    let message = format!(
        "{} wants the credentials for {reference} to be sent to {}, which is another host; they are not sent there",
        reference.host(),
        realm.host_str().unwrap_or("an address without a host"),
    );
    RegistryError::new(RegistryErrorKind::AuthenticationRequired, message, request)
}

fn bearer_in(body: &[u8]) -> Option<Authorization> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    let lasts = answer.expires_in.and_then(|seconds| seconds.as_u64()).map_or(TOKEN_LASTS, Duration::from_secs);
    Some(Authorization::ending(value, lasts))
}
