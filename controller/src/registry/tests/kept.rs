//! What a registry took is shown to it again, and to nobody else.

use super::*;

/// A registry whose token server, at the same address, gives tokens of this number, and that takes no other.
async fn with_tokens_of(number: &Arc<Mutex<u32>>) -> Server {
    let number = Arc::clone(number);
    Server::answering(move |request| {
        let host = request.headers()["host"].to_str().unwrap();
        let token = format!("token-{}", number.lock().unwrap());
        match (request.uri().path(), authorisation_of(request)) {
            ("/token", Some(BASIC)) => answer(200, &[], format!(r#"{{"token":"{token}","expires_in":300}}"#)),
            ("/token", _) => answer(401, &[], ""),
            (_, Some(shown)) if shown == format!("Bearer {token}") => manifest_answer(&image_manifest()),
            _ => answer(401, &[("www-authenticate", &challenge(&format!("http://{host}/token")))], ""),
        }
    })
    .await
}

#[tokio::test]
async fn an_unchanged_tag_costs_one_request_wherever_tokens_come_from() {
    let server = with_tokens_of(&Arc::default()).await;
    let registry = registry();
    for _ in 0..4 {
        let found = registry.look_up(&server.reference(), Some(&server.credentials())).await;
        assert_eq!(found, Ok(Some(image())));
    }
    assert_eq!(server.methods(), ["GET", "GET", "GET", "HEAD", "HEAD", "HEAD"]);
    assert_eq!(server.authorisations()[3..], vec![Some("Bearer token-0".to_owned()); 3]);
}

#[tokio::test]
async fn a_password_that_was_asked_for_once_is_shown_at_once() {
    let server = Server::answering(wants_basic).await;
    let registry = registry();
    for _ in 0..3 {
        assert_eq!(registry.look_up(&server.reference(), Some(&server.credentials())).await, Ok(Some(image())));
    }
    assert_eq!(server.methods(), ["GET", "GET", "HEAD", "HEAD"]);
}

#[tokio::test]
async fn a_token_that_is_refused_means_a_fresh_one_and_no_failure() {
    let number = Arc::default();
    let server = with_tokens_of(&number).await;
    let registry = registry();
    for round in 0..3 {
        *number.lock().unwrap() = round;
        for _ in 0..2 {
            let found = registry.look_up(&server.reference(), Some(&server.credentials())).await;
            assert_eq!(found, Ok(Some(image())), "round {round}");
        }
    }
    // Refused, asked how, a token, shown; and then shown again.
    assert_eq!(server.methods()[4..9], ["HEAD", "HEAD", "GET", "HEAD", "HEAD"]);
    assert_eq!(server.methods().len(), 14);
}

#[tokio::test]
async fn nobody_else_profits_from_what_one_user_was_given() {
    let server = with_tokens_of(&Arc::default()).await;
    let registry = registry();
    assert_eq!(registry.look_up(&server.reference(), Some(&server.credentials())).await, Ok(Some(image())));
    let wrong = Credentials { password: "wrong".into(), ..server.credentials() };
    for stranger in [None, Some(&wrong)] {
        let error = registry.look_up(&server.reference(), stranger).await.unwrap_err();
        assert_eq!(error.kind, RegistryErrorKind::AuthenticationRequired);
    }
    let shown = server.authorisations().split_off(3);
    assert!(!shown.contains(&Some("Bearer token-0".to_owned())), "{shown:?}");
}

#[tokio::test]
async fn a_host_that_a_registry_redirects_to_later_is_not_shown_what_was_kept() {
    let foreign = Server::answering(wants_basic).await;
    let location = format!("http://{}/v2/my-project/node-app/manifests/0.2", foreign.address);
    let redirects = Arc::new(Mutex::new(false));
    let does = Arc::clone(&redirects);
    let server = Server::answering(move |request| {
        let is_redirected = *does.lock().unwrap();
        if is_redirected { answer(307, &[("location", &location)], "") } else { wants_basic(request) }
    })
    .await;
    let registry = registry();
    assert_eq!(registry.look_up(&server.reference(), Some(&server.credentials())).await, Ok(Some(image())));
    *redirects.lock().unwrap() = true;
    registry.look_up(&server.reference(), Some(&server.credentials())).await.unwrap_err();
    assert!(!foreign.authorisations().is_empty());
    assert!(foreign.authorisations().iter().all(Option::is_none), "{:?}", foreign.authorisations());
}
