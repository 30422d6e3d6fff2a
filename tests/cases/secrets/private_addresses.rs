//! A registry at a public address, in a network of the test, that names token servers at private addresses: none of
//! them gets a request.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use testkit::netns::Netns;
use testkit::sandbox::Sandbox;

use crate::cases::OURS;

/// An address of the internet, which in the namespace is the test's.
const PUBLIC: &str = "93.184.216.34";

/// Answers every request on all addresses: with a challenge that names the realm, and with a token at `/token`. Each
/// request's first line goes to the file.
const SERVER: &str = r#"
use strict; use IO::Socket::IP; use Socket qw(MSG_PEEK);
my ($realm, $log) = @ARGV; $SIG{CHLD} = "IGNORE";
my %address = (LocalHost => "::", LocalPort => 5000, V6Only => 0, ReuseAddr => 1);
my $server = IO::Socket::IP->new(%address, Listen => 16) or die $@;
$| = 1; print "ready\n";
while (my $client = $server->accept) {
    # Connections are made ahead of their use: each has a process that waits.
    next if fork;
    # A handshake, which this server has no answer to.
    my $begin = ""; recv($client, $begin, 1, MSG_PEEK); exit if $begin eq "\x16";
    my $first = <$client> // ""; my $login = "";
    while (my $line = <$client>) {
        last if $line =~ /^\r?\n/;
        $login = "with a login" if $line =~ /^authorization: basic/i;
    }
    open(my $file, ">>", $log); print $file "$first$login\n"; close $file;
    my ($status, $header, $body) = ("404 Not Found", "", "{}");
    if ($first =~ m{/token}) { ($status, $body) = ("200 OK", "{\"token\":\"abc\"}") }
    elsif ($login eq "") {
        ($status, $header) = ("401 Unauthorized", "WWW-Authenticate: Bearer realm=\"$realm\",service=\"s\"\r\n")
    }
    $header .= "Content-Length: " . length($body) . "\r\nConnection: close\r\n";
    print $client "HTTP/1.1 $status\r\n$header\r\n$body" if $first =~ /HTTP/;
    exit;
}
"#;

struct Server(Child);

impl Server {
    fn start(netns: &Netns, realm: &str, log: &str) -> Server {
        let mut command = netns.command("perl");
        let mut child =
            command.args(["-e", SERVER, realm, log]).stdout(Stdio::piped()).spawn().expect("ip netns exec perl");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it speaks");
        assert_eq!(line, "ready\n");
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn netns() -> Option<Netns> {
    let netns = Netns::create_or_skip("a registry at a public address")?;
    for address in [format!("{PUBLIC}/32"), "169.254.169.254/32".into(), "100.64.0.9/32".into(), "fd00::9/128".into()] {
        let added = Command::new("ip").args(["-n", netns.name(), "addr", "add", &address, "dev", "lo"]).status();
        assert!(added.is_ok_and(|status| status.success()), "{address}");
    }
    Some(netns)
}

#[test]
fn a_public_registry_cannot_send_requests_to_private_addresses() {
    let Some(netns) = netns() else { return };
    let sandbox = Sandbox::new();
    let auth = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "me:hunter2-x");
    sandbox.write_config(&format!(r#"{{"auths":{{"{PUBLIC}:5000":{{"auth":"{auth}"}}}}}}"#));
    let log = sandbox.path().join("log");
    let fetch = |realm: &str| {
        fs::write(&log, "").expect("a file");
        let _server = Server::start(&netns, realm, log.to_str().expect("UTF-8"));
        // Plain HTTP is asked for, and even then no private address is called.
        let run = sandbox
            .command(OURS)
            .args(["--debug", "inspect", "--insecure", &format!("{PUBLIC}:5000/a:1")])
            .to_command();
        let mut command = netns.command(run.get_program());
        command.args(run.get_args()).env_clear().current_dir(sandbox.path());
        command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().expect("it runs");
        let printed = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
        assert!(!printed.contains("hunter2") && !printed.contains(&auth), "{printed}");
        // A handshake was tried first.
        (printed, String::from_utf8_lossy(&fs::read(&log).expect("a file")).into_owned())
    };
    let inside = [
        "127.0.0.1",
        "127.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::9]",
        "169.254.169.254",
        "100.64.0.9",
        "10.213.0.1",
        "registry.test",
    ];
    for host in inside {
        let (printed, traced) = fetch(&format!("http://{host}:5000/token"));
        assert!(printed.contains("private address"), "{host}: {printed}\n{traced}");
        assert!(traced.contains("/v2/") && !traced.contains("/token"), "{host}: {traced}");
    }
    for realm in [
        format!("http://me:pw@{PUBLIC}:5000/token"),
        format!("http://{PUBLIC}:5000@127.0.0.1:5000/token"),
        "/token".into(),
    ] {
        let (printed, traced) = fetch(&realm);
        assert!(printed.contains("realm") && !traced.contains("/token"), "{realm}: {printed}\n{traced}");
    }
    // The test's own premise: where the token server is as public as the registry, it is asked, with the login.
    let (printed, traced) = fetch(&format!("http://{PUBLIC}:5000/token"));
    assert!(traced.contains("/token") && traced.contains("with a login"), "{printed}\n{traced}");
}
