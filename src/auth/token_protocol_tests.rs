//! Tests of [`super`]: realms, requests and answers.

use super::*;

fn realm(text: &str) -> Realm {
    Realm::parse(text).unwrap()
}

fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, body: body.as_bytes().to_vec(), ..HttpResponse::default() }
}

fn user() -> Credential {
    Credential { username: "a b".into(), password: Some(Secret::new("p&w")), ..Credential::default() }
}

#[test]
fn realm_must_be_an_absolute_url() {
    let read = realm("https://auth.example:8443/token?x=y#part");
    assert_eq!((read.authority.as_str(), read.https), ("auth.example:8443", true));
    assert_eq!(read.url_without_query(), "https://auth.example:8443/token");
    assert!(realm("http://[::1]:5001/t").is_loopback());
    assert!(!realm("HTTP://h/t").https);
    for wrong in [
        "",
        "/token",
        "auth.example/token",
        "ftp://h/",
        "https://",
        "https:///t",
        "https://u:p@h/t",
        "https://h:x/t",
        "https://h/a b",
        "https://h/\r\nX: y",
        "https://h\\@evil/",
        "https://h/é",
    ] {
        assert!(Realm::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn token_get_request_names_account_scopes_and_service_and_keeps_the_query() {
    let scopes = Scopes::parse("repository:a/b:pull,push repository:c:pull");
    let asked = realm("https://h/t").build_get_request(Some("reg.example"), &scopes, &user(), None);
    assert_eq!(
        asked.url,
        "https://h/t?account=a+b&scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull&service=reg.example"
    );
    assert_eq!(asked.authorization, Some(Secret::new("Basic YSBiOnAmdw==")));
    assert_eq!(asked.form, None);
    let anonymous = Credential::default();
    let asked = realm("https://h/t?x=y").build_get_request(Some("s"), &Scopes::default(), &anonymous, None);
    assert_eq!((asked.url.as_str(), asked.authorization), ("https://h/t?x=y&service=s", None));
    assert_eq!(
        realm("https://h/t?").build_get_request(Some("s"), &Scopes::default(), &anonymous, None).url,
        "https://h/t?service=s"
    );
    assert_eq!(realm("https://h/t").build_get_request(None, &Scopes::default(), &anonymous, None).url, "https://h/t");
}

#[test]
fn token_post_request_has_the_refresh_token_in_its_body_only() {
    let scopes = Scopes::parse("repository:a:pull repository:c:pull");
    let asked = realm("https://h/t").build_post_request(Some("s"), &scopes, &Secret::new("r=t"));
    assert_eq!((asked.url.as_str(), &asked.authorization), ("https://h/t", &None));
    assert_eq!(
        asked.form.as_ref().unwrap().reveal(),
        "grant_type=refresh_token&client_id=docker&service=s&scope=repository%3Aa%3Apull+repository%3Ac%3Apull\
         &refresh_token=r%3Dt"
    );
    assert!(!format!("{asked:?}").contains("r%3Dt"));
    let asked = realm("https://h/t").build_get_request(None, &scopes, &Credential::default(), Some(&Secret::new("id")));
    assert_eq!(asked.authorization, Some(Secret::basic_authorization("", "id")));
    assert!(!asked.url.contains("account"));
}

#[test]
fn token_response_is_parsed_in_every_form() {
    let seconds = |body: &str| response(200, body).granted_token().unwrap().lifetime.as_secs();
    assert_eq!(response(200, r#"{"token":"a"}"#).granted_token().unwrap().header, Secret::new("Bearer a"));
    assert_eq!(
        response(200, r#"{"token":"a","access_token":"b"}"#).granted_token().unwrap().header,
        Secret::new("Bearer b")
    );
    let refreshed = response(200, r#"{"access_token":"b","refresh_token":"r"}"#).granted_token().unwrap();
    assert_eq!(refreshed.refresh_token, Some(Secret::new("r")));
    assert_eq!(seconds(r#"{"token":"a"}"#), 60);
    assert_eq!(seconds(r#"{"token":"a","expires_in":300}"#), 300);
    assert_eq!(seconds(r#"{"token":"a","expires_in":299.5}"#), 299);
    assert_eq!(seconds(r#"{"token":"a","expires_in":"300"}"#), 300);
    for (odd, least) in [("-1", 60), ("0", 60), ("null", 60), ("1e300", 86400), ("18446744073709551615", 86400)] {
        assert_eq!(seconds(&format!(r#"{{"token":"a","expires_in":{odd}}}"#)), least, "{odd}");
    }
}

#[test]
fn response_without_a_valid_token_is_reported_without_its_text() {
    for body in [
        "",
        "hunter2",
        "[\"hunter2\"]",
        "{}",
        r#"{"token":""}"#,
        r#"{"token":null}"#,
        r#"{"token":["hunter2"]}"#,
        r#"{"token":"hunter2\r\nX: y"}"#,
        r#"{"token":"hunter2 é"}"#,
    ] {
        assert!(!response(200, body).granted_token().unwrap_err().contains("hunter2"), "{body}");
    }
}

#[test]
fn token_errors_have_the_servers_message() {
    let rows = [
        (
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"bad login"}]}"#,
            RegistryErrorKind::Unauthorized,
            "unauthorized: bad login",
        ),
        (
            401,
            r#"{"details":"incorrect username or password"}"#,
            RegistryErrorKind::Unauthorized,
            "incorrect username or password",
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"run out"}"#,
            RegistryErrorKind::Unauthorized,
            "invalid_grant: run out",
        ),
        (400, r#"{"error":"invalid_scope"}"#, RegistryErrorKind::RequestRefused, "invalid_scope"),
        (403, r#"{"errors":[{"code":"DENIED"},{"message":"x\r\ny"}]}"#, RegistryErrorKind::Forbidden, "denied; x  y"),
        (404, "<html>", RegistryErrorKind::RequestRefused, "HTTP status 404"),
        (429, "{\"errors\":[]}", RegistryErrorKind::RateLimited, "HTTP status 429"),
        (503, r#"{"message":"\u001b[31mdown"}"#, RegistryErrorKind::Server, "[31mdown"),
        (302, "", RegistryErrorKind::Protocol, "HTTP status 302"),
    ];
    for (status, body, kind, words) in rows {
        let failed = response(status, body);
        assert_eq!(
            (failed.token_error_kind(), failed.token_error_message(&Redactor::default()).as_str()),
            (kind, words),
            "{body}"
        );
    }
    assert_eq!(
        response(500, &format!(r#"{{"message":"{}"}}"#, "x".repeat(999)))
            .token_error_message(&Redactor::default())
            .len(),
        200
    );
}

#[test]
fn token_error_message_is_redacted_before_it_is_cut() {
    let redactor = Redactor::default();
    redactor.record_authorization(&Secret::basic_authorization("me", "hunter2hunter3"));
    for filling in [0, 190, 195] {
        let response = response(401, &format!(r#"{{"message":"{}hunter2hunter3"}}"#, "x".repeat(filling)));
        let words = response.token_error_message(&redactor);
        assert!(!words.contains("hunt"), "{words}");
    }
}
