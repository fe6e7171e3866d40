//! The public authorities that the operating system trusts.

/// Where operating systems keep their certificates (Go, src/crypto/x509/root_linux.go).
const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Their certificates in PEM; empty if there is no such file.
pub fn system_roots() -> Vec<u8> {
    SYSTEM_ROOTS.iter().find_map(|file| std::fs::read(file).ok()).unwrap_or_default()
}
