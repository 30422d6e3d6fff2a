//! The token server, asked directly; and its tokens, shown to the real docker-registry.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::*;

/// One exchange on a connection of its own: the status and the body.
fn exchange(host: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn get(server: &TokenServer, query: &str, user: Option<&str>) -> (u16, Value) {
    let basic = user.map(|user| format!("Authorization: Basic {}\r\n", STANDARD.encode(user))).unwrap_or_default();
    let request = format!("GET /token?{query} HTTP/1.1\r\nHost: t\r\n{basic}\r\n");
    let (status, body) = exchange(&server.addr.to_string(), &request);
    (status, serde_json::from_str(&body).unwrap())
}

fn post(server: &TokenServer, form: &str) -> (u16, Value) {
    let request = format!("POST /token HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    let (status, body) = exchange(&server.addr.to_string(), &request);
    (status, serde_json::from_str(&body).unwrap())
}

/// The access claim of a token.
fn access(token: &Value) -> Value {
    let claims = token.as_str().unwrap().split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["access"].clone()
}

#[test]
fn the_token_server_grants_allowed_scopes_and_records_each_request() {
    let mut config = TokenConfig { anonymous: vec![Grant::new("open/*", "pull")], ..TokenConfig::default() };
    config.users.push(TokenUser {
        name: "bob".into(),
        password: "b:ob".into(),
        refresh_token: None,
        grants: vec![Grant::new("team/app", "pull,push"), Grant::new("base", "pull")],
    });
    let server = TokenServer::start(config);
    let query = "service=registry.test.service&scope=repository%3Ateam/app:pull%2Cpush&scope=repository:base:pull,push";
    let (status, body) = get(&server, query, Some("bob:b:ob"));
    assert_eq!(status, 200);
    assert_eq!(
        access(&body["token"]).to_string(),
        concat!(
            r#"[{"type":"repository","name":"team/app","actions":["pull","push"]},"#,
            r#"{"type":"repository","name":"base","actions":["pull"]}]"#
        )
    );
    assert_eq!(get(&server, query, Some("bob:wrong")).0, 401);
    let (status, body) = get(&server, "service=registry.test.service&scope=repository:open/x:pull,push", None);
    assert_eq!((status, access(&body["token"])[0]["actions"].to_string()), (200, r#"["pull"]"#.to_owned()));
    let form = "grant_type=password&username=alice&password=secret&service=registry.test.service&client_id=me\
                &access_type=offline&scope=repository:a:pull+repository:b:pull,push";
    let (status, body) = post(&server, form);
    assert_eq!((status, body["refresh_token"].as_str()), (200, Some("refresh-alice")));
    let form = "grant_type=refresh_token&refresh_token=refresh-alice&service=registry.test.service";
    assert_eq!(post(&server, form).0, 200);
    assert_eq!(post(&server, "grant_type=refresh_token&refresh_token=nobody&service=registry.test.service").0, 401);

    let seen = server.requests();
    let users: Vec<_> = seen.iter().map(|request| request.user.as_deref()).collect();
    assert_eq!(users, [Some("bob"), Some("bob"), None, Some("alice"), None, None]);
    assert_eq!(seen[3].scopes, ["repository:a:pull", "repository:b:pull,push"]);
    assert_eq!((seen[3].grant_type.as_deref(), seen[3].client_id.as_deref()), (Some("password"), Some("me")));
    let statuses: Vec<_> = seen.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 401, 200, 200, 200, 401]);
}

#[test]
fn the_token_server_can_refuse_post_and_scopes() {
    let config = TokenConfig { oauth2: false, deny_empty_grants: true, ..TokenConfig::default() };
    let mut config = TokenConfig { access_token_only: true, lifetime_seconds: None, ..config };
    config.users[0].grants = vec![Grant::new("mine", "pull")];
    let server = TokenServer::start(config);
    assert_eq!(post(&server, "grant_type=password&username=alice&password=secret").0, 404);
    let service = "service=registry.test.service&scope=repository:";
    assert_eq!(get(&server, &format!("{service}other:pull"), Some("alice:secret")).0, 403);
    assert_eq!(get(&server, &format!("{service}mine:pull"), None).0, 401);
    let (status, body) = get(&server, &format!("{service}mine:pull"), Some("alice:secret"));
    assert_eq!((status, body.as_object().unwrap().keys().next().unwrap().as_str()), (200, "access_token"));
    assert_eq!(body.as_object().unwrap().len(), 1);
}

/// Starts docker-registry directly; `real.rs` has the full helper.
struct Registry(Child, String);

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn registry(server: &TokenServer, dir: &std::path::Path) -> Option<Registry> {
    let bundle = dir.join("bundle.pem");
    std::fs::write(&bundle, server.certificate_pem()).unwrap();
    let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (realm, service, issuer) = (server.realm(), server.service(), server.issuer());
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {:?}}}}}\nhttp: {{addr: {host:?}}}\n\
         auth: {{token: {{realm: {realm:?}, service: {service:?}, issuer: {issuer:?}, rootcertbundle: {bundle:?}}}}}\n",
        dir.join("data")
    );
    let file = dir.join("config.yml");
    std::fs::write(&file, config).unwrap();
    let mut child = Command::new("docker-registry")
        .arg("serve")
        .arg(&file)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 && !line.contains("listening on") {
        line.clear();
    }
    thread::spawn(move || io::copy(&mut log, &mut io::sink()));
    Some(Registry(child, host))
}

#[test]
fn the_real_registry_accepts_the_tokens() {
    let server = TokenServer::start(TokenConfig { expired_first: 1, ..TokenConfig::default() });
    let dir = tempfile::tempdir().unwrap();
    let Some(registry) = registry(&server, dir.path()) else {
        return crate::skip::skipped("tokens at the real registry", "docker-registry is not installed");
    };
    let query = "service=registry.test.service&scope=repository:app:pull,push";
    let upload = |token: &str| {
        let head =
            format!("Host: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close", registry.1);
        exchange(&registry.1, &format!("POST /v2/app/blobs/uploads/ HTTP/1.1\r\n{head}\r\n\r\n")).0
    };
    let stale = get(&server, query, Some("alice:secret")).1;
    assert_eq!(upload(stale["token"].as_str().unwrap()), 401, "a token that ran out");
    let fresh = get(&server, query, Some("alice:secret")).1;
    assert_eq!(upload(fresh["token"].as_str().unwrap()), 202);
    assert_eq!(upload(&server.issue("me", &["repository:app:pull"])), 401, "a token for less");
    assert_eq!(upload(&server.issue("me", &["repository:app:pull,push"])), 202);
    assert_eq!(upload("x.y.z"), 401);
}
