//! The certificates of an API server: issued at its start, renewed while it runs.
//!
//! The authority is kept in the server's directory and lasts ten years. The serving certificate and the administrator's
//! client certificate live in memory and in kubeconfigs; they are renewed after two thirds of their life. New
//! connections see the new serving certificate, open ones stay. Clients in this process need no certificate.

mod renewal;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use portolan_controllers::kubernetes::Sign;
use portolan_net::pki::{Authority, Identity, PkiError, ServerNames};
use portolan_net::tls::{ServerCertificate, TlsError};
use portolan_net::{Clock, Shutdown};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use renewal::{authority_notice, is_due};

pub use renewal::Validity;

/// Life of serving and client certificates.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Time between two checks. Short beside the last third of a life, so that a failed renewal is repeated often.
const CHECK_INTERVAL: Duration = Duration::from_secs(3600);
/// Time between two warnings about an authority that ends.
const NOTICE_INTERVAL: SignedDuration = SignedDuration::from_hours(24);
/// The user of the kubeconfigs, and the group that may do everything.
pub(crate) const ADMINISTRATOR: (&str, &str) = ("kubernetes-admin", "system:masters");

/// How long certificates live, and how often they are checked.
#[derive(Debug, Clone, Copy)]
pub struct CertificatePolicy {
    /// Life of serving and client certificates.
    pub lifetime: Duration,
    /// Time between two checks.
    pub check_interval: Duration,
}

impl Default for CertificatePolicy {
    fn default() -> Self {
        Self { lifetime: LIFETIME, check_interval: CHECK_INTERVAL }
    }
}

/// Why certificates cannot be issued or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Issuing.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// TLS does not take a certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The end of a certificate's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// `authority`, `serving` or `administrator`.
    pub certificate: &'static str,
    /// Last valid instant.
    pub not_after: Timestamp,
}

/// The certificates of one API server. Clones share state.
#[derive(Clone)]
pub struct Certificates(Arc<CertificateSet>);

struct CertificateSet {
    /// Name of the server, for messages.
    server: String,
    /// Directory of the authority, for messages.
    directory: PathBuf,
    authority: Authority,
    names: ServerNames,
    policy: CertificatePolicy,
    serving: ServerCertificate,
    serving_validity: Mutex<Validity>,
    administrator: watch::Sender<Identity>,
    last_notice: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("expiries", &self.expiries()).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Opens the authority in `directory`, or makes one, and issues the other certificates.
    pub(crate) fn issue(
        server: &str,
        directory: &Path,
        names: ServerNames,
        policy: CertificatePolicy,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let authority = Authority::open(directory, &format!("{server}-ca"), now)?;
        let serving = authority.issue_server(&names, policy.lifetime, now)?;
        let administrator = issue_administrator(&authority, policy, now)?;
        Ok(Self(Arc::new(CertificateSet {
            server: server.to_owned(),
            directory: directory.to_owned(),
            authority,
            names,
            policy,
            serving_validity: Mutex::new(validity(&serving)),
            serving: ServerCertificate::new(&serving)?,
            administrator: watch::Sender::new(administrator),
            last_notice: Mutex::default(),
        })))
    }

    /// The certificate that the server shows; always the latest one.
    pub(crate) fn serving(&self) -> ServerCertificate {
        self.0.serving.clone()
    }

    /// The certificate of the authority.
    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        self.0.authority.certificate().clone()
    }

    /// The certificate of the authority, PEM.
    pub fn authority_pem(&self) -> &str {
        self.0.authority.certificate_pem()
    }

    /// The administrator's client certificate, and its successors.
    pub(crate) fn administrator(&self) -> watch::Receiver<Identity> {
        self.0.administrator.subscribe()
    }

    /// Answers requests for client certificates.
    pub(crate) fn signer(&self, clock: &Clock) -> Sign {
        let (set, clock) = (Arc::clone(&self.0), clock.clone());
        Arc::new(move |request, life| {
            set.authority.sign_client(request, life, clock.now()).map_err(|error| error.to_string())
        })
    }

    /// The end of each certificate's life.
    pub fn expiries(&self) -> Vec<CertificateExpiry> {
        let administrator = self.0.administrator.borrow().expires();
        vec![
            CertificateExpiry { certificate: "authority", not_after: self.0.authority.expires() },
            CertificateExpiry { certificate: "serving", not_after: self.0.serving_validity.lock().not_after },
            CertificateExpiry { certificate: "administrator", not_after: administrator },
        ]
    }

    /// Renews certificates when they are due, until `scope` ends.
    pub(crate) fn keep_renewed(&self, clock: &Clock, scope: &Shutdown) {
        let (certificates, clock) = (self.clone(), clock.clone());
        portolan_runtime::scope::spawn_until_stop(scope, async move {
            loop {
                certificates.check(clock.now());
                tokio::time::sleep(certificates.0.policy.check_interval).await;
            }
        });
    }

    /// Renews what is due at `now`, and warns of an authority that ends soon. Failures are logged and repeated at the
    /// next check.
    fn check(&self, now: Timestamp) {
        let server = &self.0.server;
        if let Err(error) = self.renew_serving(now) {
            tracing::error!(%server, %error, "cannot renew the serving certificate, trying again");
        }
        if let Err(error) = self.renew_administrator(now) {
            tracing::error!(%server, %error, "cannot renew the administrator's certificate, trying again");
        }
        if let Some(left) = authority_notice(self.0.authority.expires(), now) {
            self.warn_of_authority(left, now);
        }
        if self.is_too_early(now) {
            self.warn_of_clock(now);
        }
    }

    /// Whether the clock shows a time before the authority was made.
    fn is_too_early(&self, now: Timestamp) -> bool {
        let begin = portolan_net::pki::validity(self.authority_pem().as_bytes()).map(|(begin, _)| begin);
        begin.is_some_and(|begin| now < begin)
    }

    /// Warns once a day of a clock that is or was wrong: clients with the same time refuse every certificate.
    fn warn_of_clock(&self, now: Timestamp) {
        if self.is_noticed(now) {
            return;
        }
        tracing::warn!(
            server = %self.0.server, clock = %now,
            "the clock shows a time before the certificate authority was made, so that clients with this time refuse it as not \
             yet valid: correct the clock; if it was wrong before, stop the server, remove ca.crt and ca.key in {}, start it \
             again, and hand out the new kubeconfig",
            self.0.directory.display()
        );
    }

    /// Whether there was a notice within a day; otherwise there is one now.
    fn is_noticed(&self, now: Timestamp) -> bool {
        let mut last = self.0.last_notice.lock();
        if last.is_some_and(|last| last.duration_until(now).abs() < NOTICE_INTERVAL) {
            return true;
        }
        *last = Some(now);
        false
    }

    fn renew_serving(&self, now: Timestamp) -> Result<(), CertificateError> {
        let set = &*self.0;
        if !is_due(*set.serving_validity.lock(), set.authority.expires(), now) {
            return Ok(());
        }
        let identity = set.authority.issue_server(&set.names, set.policy.lifetime, now)?;
        set.serving.replace(&identity)?;
        *set.serving_validity.lock() = validity(&identity);
        tracing::info!(server = %set.server, not_after = %identity.expires(), "serving certificate renewed");
        Ok(())
    }

    fn renew_administrator(&self, now: Timestamp) -> Result<(), CertificateError> {
        let set = &*self.0;
        let current = validity(&set.administrator.borrow());
        if !is_due(current, set.authority.expires(), now) {
            return Ok(());
        }
        let identity = issue_administrator(&set.authority, set.policy, now)?;
        tracing::info!(server = %set.server, not_after = %identity.expires(), "administrator's certificate renewed");
        set.administrator.send_replace(identity);
        Ok(())
    }

    /// Warns once a day.
    fn warn_of_authority(&self, left: SignedDuration, now: Timestamp) {
        if self.is_noticed(now) {
            return;
        }
        tracing::warn!(
            server = %self.0.server,
            not_after = %self.0.authority.expires(),
            days_left = left.as_hours() / 24,
            "the certificate authority ends soon, and every certificate with it: stop the server, remove ca.crt and \
             ca.key in {}, start it again, and hand out the new kubeconfig",
            self.0.directory.display()
        );
    }
}

fn issue_administrator(
    authority: &Authority,
    policy: CertificatePolicy,
    now: Timestamp,
) -> Result<Identity, PkiError> {
    let (user, group) = ADMINISTRATOR;
    authority.issue_client(user, Some(group), policy.lifetime, now)
}

fn validity(identity: &Identity) -> Validity {
    Validity { not_before: identity.not_before(), not_after: identity.expires() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn names() -> ServerNames {
        ServerNames { common_name: "test".to_owned(), dns: vec!["localhost".to_owned()], addresses: vec![] }
    }

    fn expiry(certificates: &Certificates, name: &str) -> Timestamp {
        let expiries = certificates.expiries();
        expiries.iter().find(|expiry| expiry.certificate == name).expect("a certificate").not_after
    }

    #[test]
    fn certificates_get_successors_that_last_longer() {
        let directory = tempfile::tempdir().expect("a directory");
        let start = Timestamp::now();
        let policy = CertificatePolicy { lifetime: DAY * 90, ..CertificatePolicy::default() };
        let certificates =
            Certificates::issue("test", directory.path(), names(), policy, start).expect("issued");
        let administrator = certificates.administrator();
        let first = administrator.borrow().certificate_pem().to_owned();
        for (days, renewed) in [(0, false), (59, false), (61, true)] {
            let now = start + DAY * days;
            certificates.check(now);
            for name in ["serving", "administrator"] {
                let lasts = now.duration_until(expiry(&certificates, name));
                assert_eq!(
                    lasts > SignedDuration::from_hours(89 * 24),
                    days == 0 || renewed,
                    "{name} {days}"
                );
            }
            assert_eq!(*administrator.borrow().certificate_pem() != first, renewed, "{days}");
        }
    }

    #[test]
    fn certificates_end_with_their_authority() {
        let directory = tempfile::tempdir().expect("a directory");
        let start = Timestamp::now();
        let policy = CertificatePolicy { lifetime: DAY * 365, ..CertificatePolicy::default() };
        let certificates =
            Certificates::issue("test", directory.path(), names(), policy, start).expect("issued");
        let end = expiry(&certificates, "authority");
        let late = end.checked_sub(DAY * 100).expect("in range");
        certificates.check(late);
        assert_eq!((expiry(&certificates, "serving"), expiry(&certificates, "administrator")), (end, end));
        let administrator = certificates.administrator();
        let last = administrator.borrow().certificate_pem().to_owned();
        certificates.check(end.checked_sub(DAY).expect("in range"));
        assert_eq!(administrator.borrow().certificate_pem(), last, "a successor would end then too");
    }

    #[test]
    fn a_clock_before_the_authority_is_noticed_once_a_day() {
        let directory = tempfile::tempdir().expect("a directory");
        let start = Timestamp::now();
        let policy = CertificatePolicy { lifetime: DAY * 365, ..CertificatePolicy::default() };
        let certificates =
            Certificates::issue("test", directory.path(), names(), policy, start).expect("issued");
        assert!(!certificates.is_too_early(start));
        let early = start.checked_sub(DAY * 30).expect("in range");
        assert!(certificates.is_too_early(early));
        assert!(!certificates.is_noticed(early) && certificates.is_noticed(early));
        assert!(!certificates.is_noticed(early + DAY * 2));
    }
}
