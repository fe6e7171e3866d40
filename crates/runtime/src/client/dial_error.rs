//! Why there is no connection to a server.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

/// Why there is no connection. Shared by all requests that waited for it.
#[derive(Debug, Clone)]
pub(super) struct DialError {
    cause: Arc<str>,
    /// The server's certificate is not trusted.
    is_distrusted: bool,
}

impl DialError {
    pub(super) fn new(cause: String, is_distrusted: bool) -> Self {
        Self { cause: cause.into(), is_distrusted }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl Error for DialError {}

/// Whether a connection failed because the certificate of the server is not trusted: of another authority, for another name,
/// expired, or not valid yet.
pub(super) fn is_distrusted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(dialled) = error.downcast_ref::<DialError>() {
            return dialled.is_distrusted;
        }
        // An I/O error does not name the error that it contains as its source.
        let contained = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = contained.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_from_other_failures() {
        let of_tls = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let certificate = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let cases: [(&str, Box<dyn Error>, bool); 5] = [
            ("a certificate", Box::new(certificate()), true),
            ("in an I/O error", Box::new(of_tls(certificate())), true),
            ("shared", Box::new(DialError::new("x".to_owned(), true)), true),
            ("another error of TLS", Box::new(of_tls(rustls::Error::HandshakeNotComplete)), false),
            ("refused", Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)), false),
        ];
        for (name, error, want) in cases {
            assert_eq!(is_distrusted(error.as_ref()), want, "{name}");
        }
    }
}
