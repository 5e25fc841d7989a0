//! What is said to one registry about one reference, with an authorisation when it wants one.

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::answer::{self, MEDIA_TYPES};
use super::challenge::{Challenge, Scope, token_address};
use super::clients::Clients;
use super::endpoint::{Endpoint, Way};
use crate::app::{
    Credentials, ImageReference, Purpose, RegistryError, RegistryErrorKind, RegistryRequest, is_google_registry,
};

/// A token server's answer. Servers send one name, or both with the same token.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
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
    authorization: Option<HeaderValue>,
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
        let mut conversation = Self { clients, endpoint, reference, request, scope, credentials, authorization: None };
        if way == Way::Secure && is_google_registry(reference.host()) {
            conversation.authorization = conversation.basic();
        }
        Ok(conversation)
    }

    /// The address of what the reference names.
    pub(super) fn manifest(&self) -> Url {
        self.endpoint.manifest(self.reference)
    }

    /// Asks, and again with an authorisation when the registry's own host wants one.
    pub(super) async fn send(&mut self, method: Method, url: &Url) -> Result<Response, RegistryError> {
        let response = self.send_again(method.clone(), url).await?;
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
        self.send_again(method, url).await
    }

    /// Asks with the authorisation that the registry has wanted before.
    pub(super) async fn send_again(&self, method: Method, url: &Url) -> Result<Response, RegistryError> {
        let client = self.clients.for_method(&method);
        let mut request = client.request(method, url.clone()).header(ACCEPT, MEDIA_TYPES);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
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
    async fn token(&self, realm: &Url, service: Option<&str>) -> Result<HeaderValue, RegistryError> {
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

    fn basic(&self) -> Option<HeaderValue> {
        let credentials = self.credentials?;
        let request = self
            .clients
            .asking
            .get(self.manifest())
            .basic_auth(&credentials.username, Some(credentials.password.expose_secret()));
        request.build().ok()?.headers().get(AUTHORIZATION).cloned()
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

fn bearer_in(body: &[u8]) -> Option<HeaderValue> {
    let answer: Token = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
