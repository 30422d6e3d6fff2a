//! Tests of [`super::super`] with identity tokens: the OAuth2 form of token requests.

use super::*;

#[test]
fn identity_token_is_posted_with_get_as_fallback() {
    let config = r#"{"auths":{"h":{"identitytoken":"hunter22"}}}"#;
    let server = granting_server();
    assert_eq!(
        with_config(config).respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(),
        some("Bearer t1")
    );
    let form = lock(&server.requests)[0].form.clone().unwrap();
    assert!(form.reveal().contains("refresh_token=hunter22") && form.reveal().contains("grant_type=refresh_token"));
    for refused in [401, 404, 405] {
        let server = FakeTokenServer::new(|request, _| match request.form {
            Some(_) => (refused, String::new()),
            None => (200, r#"{"token":"t"}"#.to_owned()),
        });
        assert_eq!(
            with_config(config).respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(),
            some("Bearer t")
        );
        assert_eq!(lock(&server.requests)[1].authorization, Some(Secret::basic_authorization("", "hunter22")));
    }
    let server = FakeTokenServer::new(|request, _| match request.form {
        Some(_) => (401, r#"{"error":"invalid_grant","error_description":"hunter22 has run out"}"#.to_owned()),
        None => (400, String::new()),
    });
    let error = with_config(config).respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap_err();
    assert_eq!((error.kind, error.status), (RegistryErrorKind::Unauthorized, Some(401)));
    assert_eq!(error.message, "token server auth.example: invalid_grant: [secret] has run out");
}

#[test]
fn rotated_refresh_token_replaces_the_stored_one() {
    let auth = with_config(r#"{"auths":{"h":{"identitytoken":"old"}}}"#);
    let server = FakeTokenServer::new(|_, number| {
        (200, format!(r#"{{"access_token":"t{number}","refresh_token":"new{number}"}}"#))
    });
    auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap();
    auth.respond(&TLS_REQUEST, CHALLENGE, &push("a").union(&pull("b")), None, &server).unwrap();
    let form = |at: usize| lock(&server.requests)[at].form.clone().unwrap();
    assert!(form(0).reveal().contains("refresh_token=old"));
    assert!(form(1).reveal().contains("refresh_token=new1"));
}
