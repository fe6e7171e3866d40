//! Where the credentials for Cloud DNS come from.

use std::path::{Path, PathBuf};

use hyper::Uri;
use tokio::io::AsyncReadExt;

use super::account::{AccountError, ServiceAccount};

/// Variable with the path of a key, as Google's own programs have it.
const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// Variable with the host of the metadata server, as Google's own programs have it.
const METADATA_HOST: &str = "GCE_METADATA_HOST";
/// Most octets of a key file.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// Who writes into the zones.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A service account with its key.
    Key(ServiceAccount),
    /// A service account with its key in a file, which is read for every token: the file may be replaced.
    KeyFile(PathBuf),
    /// The service account of the machine or the pod, by the metadata server at this host.
    Metadata {
        /// Host name or address, and a port if it is not 80.
        host: String,
    },
}

/// No credentials can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// None is given.
    #[error(
        "none are given: name a Secret with a key as `secretRef` of the zone, or start the server with {KEY_FILE}=FILE, or on a machine of \
         Google's with {METADATA_HOST}=metadata.google.internal"
    )]
    None,
    /// The file cannot be read.
    #[error("the key file {} cannot be read: {error}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        error: std::io::Error,
    },
    /// The file is too large.
    #[error("the key file {} has more than {MAX_KEY_FILE} octets: it is no key of a service account", .0.display())]
    TooLarge(PathBuf),
    /// The file is no key.
    #[error("the key file {} cannot be used: {error}", path.display())]
    Account {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong.
        error: AccountError,
    },
}

impl Credentials {
    /// The credentials of this process, from its environment.
    ///
    /// # Errors
    /// [`SourceError::None`].
    pub fn of_process() -> Result<Self, SourceError> {
        let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::chosen(
            given(KEY_FILE).map(PathBuf::from),
            given(METADATA_HOST).and_then(|host| host.into_string().ok()),
        )
    }

    /// A key goes before the metadata server.
    fn chosen(key_file: Option<PathBuf>, metadata_host: Option<String>) -> Result<Self, SourceError> {
        let metadata = metadata_host.map(|host| Self::Metadata { host });
        key_file.map(Self::KeyFile).or(metadata).ok_or(SourceError::None)
    }
}

/// Reads a key file.
pub(super) async fn read(path: &Path) -> Result<ServiceAccount, SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.to_owned(), error };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut content = Vec::new();
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut content).await.map_err(unreadable)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > MAX_KEY_FILE) {
        return Err(SourceError::TooLarge(path.to_owned()));
    }
    ServiceAccount::parse(&content).map_err(|error| SourceError::Account { path: path.to_owned(), error })
}

/// Whether tokens may be sent to a URL: it has TLS, or does not leave the machine.
pub fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_own =
        || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_own(),
        _ => false,
    }
}

/// Whether a URL is one of Google's services.
pub fn is_google(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| host.ends_with(".googleapis.com"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sent_with_tls_or_stay_on_the_machine() {
        for (url, private, google) in [
            ("https://dns.googleapis.com", true, true),
            ("https://dns.googleapis.com.example.net", true, false),
            ("https://dns.example.net/prefix", true, false),
            ("http://127.0.0.1:8080", true, false),
            ("http://[::1]:8080", true, false),
            ("http://localhost:8080", true, false),
            ("http://dns.googleapis.com", false, false),
            ("http://127.0.0.1.example.net", false, false),
            ("ftp://127.0.0.1", false, false),
            ("dns.googleapis.com", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_private(url), is_google(url)), (private, google), "{url}");
        }
    }

    #[test]
    fn a_key_goes_before_the_metadata_server_which_is_never_asked_by_itself() {
        let chosen = |key: Option<&str>, host: Option<&str>| {
            Credentials::chosen(key.map(PathBuf::from), host.map(str::to_owned))
        };
        assert!(matches!(chosen(Some("/key.json"), Some("h")), Ok(Credentials::KeyFile(_))));
        assert!(matches!(chosen(None, Some("h")), Ok(Credentials::Metadata { .. })));
        let none = chosen(None, None).expect_err("no credentials").to_string();
        assert!(none.contains("GOOGLE_APPLICATION_CREDENTIALS=FILE"), "{none}");
    }
}
