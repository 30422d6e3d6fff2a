use super::*;

fn tls(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[test]
fn plain_http_and_a_hangup_are_told_apart_in_a_handshake() {
    let plain = of_handshake(&tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)));
    assert_eq!((plain.kind, plain.hint), (RegistryErrorKind::PlainHttp, FailureHint::NoTls));
    let closed = of_handshake(&io::ErrorKind::UnexpectedEof.into());
    assert_eq!((closed.kind, closed.hint), (RegistryErrorKind::Connect, FailureHint::NoHandshake));
    let bad = of_handshake(&tls(rustls::Error::InvalidMessage(InvalidMessage::MissingKeyExchange)));
    assert_eq!((bad.kind, bad.hint), (RegistryErrorKind::Connect, FailureHint::None));
}

#[test]
fn certificates_are_told_apart_from_client_certificates() {
    let unknown = of_io(&tls(CertificateError::UnknownIssuer.into()));
    assert_eq!(unknown.kind, RegistryErrorKind::Certificate);
    let wanted = of_io(&tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
    assert_eq!(wanted.kind, RegistryErrorKind::ClientCertificate);
    let roots =
        of_io(&tls(rustls::Error::Other(rustls::OtherError(std::sync::Arc::new(NoAuthorities("none".into()))))));
    assert_eq!((roots.kind, roots.detail.as_str()), (RegistryErrorKind::TlsFiles, "none"));
}

#[test]
fn a_proxy_that_is_not_there_is_the_proxys_trouble() {
    let inner = ConnectError::Tcp(io::ErrorKind::ConnectionRefused.into());
    let failure = TransportFailure::of(ConnectError::Proxy(Box::new(inner)).into());
    assert_eq!((failure.kind, failure.hint), (RegistryErrorKind::Proxy, FailureHint::NoListener));
}

#[test]
fn only_what_passes_is_a_reason_to_try_again() {
    let again = |error: ConnectError| TransportFailure::of(error.into()).again;
    for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut] {
        assert_eq!(again(ConnectError::Tcp(kind.into())), Retryable::Unsent, "{kind}");
        assert_eq!(again(ConnectError::Proxy(Box::new(ConnectError::Tcp(kind.into())))), Retryable::Unsent, "{kind}");
    }
    assert_eq!(again(ConnectError::Slow), Retryable::Unsent);
    assert_eq!(again(ConnectError::Tls(io::ErrorKind::ConnectionReset.into())), Retryable::Unsent);
    assert_eq!(of_io(&io::ErrorKind::ConnectionReset.into()).again, Retryable::Repeatable);
    let unresolved = ConnectError::Resolve { host: "h".to_owned(), error: io::Error::other("no such name").into() };
    for lasting in [
        unresolved,
        ConnectError::Tcp(io::ErrorKind::NetworkUnreachable.into()),
        ConnectError::Tls(tls(CertificateError::UnknownIssuer.into())),
        ConnectError::Tls(tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))),
        ConnectError::Tls(tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))),
        ConnectError::Private("10.0.0.1".parse().unwrap()),
    ] {
        let text = lasting.to_string();
        assert_eq!(again(lasting), Retryable::Never, "{text}");
    }
    assert_eq!(of_io(&tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))).again, Retryable::Never);
}

#[test]
fn a_body_cut_short_says_nothing_of_the_connections_age() {
    let failure = TransportFailure::of_body(io::ErrorKind::UnexpectedEof.into());
    assert_eq!(
        (failure.kind, failure.hint, failure.again),
        (RegistryErrorKind::Connect, FailureHint::None, Retryable::Repeatable)
    );
    assert_eq!(TransportFailure::of_body(io::ErrorKind::InvalidData.into()).again, Retryable::Never);
    assert!(failure.detail.contains("middle"));
}
