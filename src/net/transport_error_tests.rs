use super::*;

fn tls(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[test]
fn handshake_errors_distinguish_plain_http_from_a_closed_connection() {
    let plain = from_handshake_error(&tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)));
    assert_eq!((plain.kind, plain.symptom), (RegistryErrorKind::PlainHttp, Symptom::NotTls));
    let closed = from_handshake_error(&io::ErrorKind::UnexpectedEof.into());
    assert_eq!((closed.kind, closed.symptom), (RegistryErrorKind::Connect, Symptom::ClosedInHandshake));
    let other = from_handshake_error(&tls(rustls::Error::InvalidMessage(InvalidMessage::MissingKeyExchange)));
    assert_eq!((other.kind, other.symptom), (RegistryErrorKind::Connect, Symptom::Other));
}

#[test]
fn tls_errors_distinguish_server_from_client_certificates() {
    let unknown = from_io_error(&tls(CertificateError::UnknownIssuer.into()));
    assert_eq!(unknown.kind, RegistryErrorKind::CertificateUntrusted);
    let wanted = from_io_error(&tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
    assert_eq!(wanted.kind, RegistryErrorKind::ClientCertificate);
    let roots = from_io_error(&tls(rustls::Error::Other(rustls::OtherError(std::sync::Arc::new(NoTrustAnchors(
        "none".into(),
    ))))));
    assert_eq!((roots.kind, roots.message.as_str()), (RegistryErrorKind::TlsFiles, "none"));
}

#[test]
fn unreachable_proxy_is_a_proxy_error() {
    let inner = ConnectError::Tcp(io::ErrorKind::ConnectionRefused.into());
    let error = TransportError::from_ureq(ConnectError::Proxy(Box::new(inner)).into());
    assert_eq!((error.kind, error.symptom), (RegistryErrorKind::Proxy, Symptom::Unreachable));
}

#[test]
fn only_temporary_transport_errors_are_retryable() {
    let retryable = |error: ConnectError| TransportError::from_ureq(error.into()).retryable;
    for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut] {
        assert_eq!(retryable(ConnectError::Tcp(kind.into())), Retryable::Unsent, "{kind}");
        assert_eq!(
            retryable(ConnectError::Proxy(Box::new(ConnectError::Tcp(kind.into())))),
            Retryable::Unsent,
            "{kind}"
        );
    }
    assert_eq!(retryable(ConnectError::TimedOut), Retryable::Unsent);
    assert_eq!(retryable(ConnectError::Tls(io::ErrorKind::ConnectionReset.into())), Retryable::Unsent);
    assert_eq!(from_io_error(&io::ErrorKind::ConnectionReset.into()).retryable, Retryable::IfRepeatable);
    let unresolved = ConnectError::Resolve { host: "h".to_owned(), error: io::Error::other("no such name").into() };
    for lasting in [
        unresolved,
        ConnectError::Tcp(io::ErrorKind::NetworkUnreachable.into()),
        ConnectError::Tls(tls(CertificateError::UnknownIssuer.into())),
        ConnectError::Tls(tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))),
        ConnectError::Tls(tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))),
        ConnectError::PrivateAddress("10.0.0.1".parse().unwrap()),
    ] {
        let text = lasting.to_string();
        assert_eq!(retryable(lasting), Retryable::Never, "{text}");
    }
    assert_eq!(
        from_io_error(&tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))).retryable,
        Retryable::Never
    );
}

#[test]
fn truncated_body_is_not_blamed_on_a_stale_connection() {
    let error = TransportError::from_body_read(io::ErrorKind::UnexpectedEof.into());
    assert_eq!(
        (error.kind, error.symptom, error.retryable),
        (RegistryErrorKind::Connect, Symptom::Other, Retryable::IfRepeatable)
    );
    assert_eq!(TransportError::from_body_read(io::ErrorKind::InvalidData.into()).retryable, Retryable::Never);
    assert!(error.message.contains("middle"));
}
