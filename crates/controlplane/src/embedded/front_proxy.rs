//! The authority by which aggregated API servers know this one, kept beside the certificates: they go on to accept its
//! requests after a restart.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use portolan_net::pki::{Authority, PkiError};

const FOLDER: &str = "front-proxy";
const NAME: &str = "front-proxy-ca";

/// Reads the authority below `directory`, or makes one. One that has expired is replaced: the servers read the new one from
/// the ConfigMap `kube-system/extension-apiserver-authentication`.
pub(super) fn open_front_proxy(directory: &Path, now: Timestamp) -> Result<Authority, PkiError> {
    let folder = directory.join(FOLDER);
    match Authority::open(&folder, NAME, now) {
        Err(PkiError::Expired { path, .. }) => {
            // Without its certificate the authority is made again.
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an authority that has expired cannot be removed");
            }
            Authority::open(&folder, NAME, now)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_authority_is_kept_until_it_expires() {
        let directory = tempfile::tempdir().expect("directory");
        let now = Timestamp::now();
        let pem = |now| {
            let opened = open_front_proxy(directory.path(), now).expect("opened");
            opened.certificate_pem().to_owned()
        };
        let first = pem(now);
        assert_eq!(pem(now), first);
        let later = now.saturating_add(SignedDuration::from_hours(24 * 366 * 11)).expect("a time");
        let second = pem(later);
        assert_ne!(second, first);
        assert_eq!(pem(later), second);
    }
}
